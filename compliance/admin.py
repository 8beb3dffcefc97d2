from django.contrib import admin
from unfold.admin import ModelAdmin

from compliance.models import ComplianceEvent, RestrictedSymbol

admin.site.register(ComplianceEvent, ModelAdmin)
admin.site.register(RestrictedSymbol, ModelAdmin)


def may_see_trail(request):
    return True
