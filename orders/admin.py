from django.contrib import admin
from unfold.admin import ModelAdmin

from orders.models import Account, Execution, Order

admin.site.register(Order, ModelAdmin)
admin.site.register(Execution, ModelAdmin)
admin.site.register(Account, ModelAdmin)


def waiting(request):
    return 0


def may_see_orders(request):
    return True
