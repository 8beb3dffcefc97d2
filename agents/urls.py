from django.urls import path

from agents import api

urlpatterns = [
    path("chat/", api.Chat.as_view(), name="chat"),
    path("threads/", api.ThreadList.as_view(), name="thread-list"),
    path("threads/<uuid:pk>/", api.ThreadDetail.as_view(), name="thread-detail"),
]
