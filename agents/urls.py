from django.urls import path

from agents import api

urlpatterns = [
    path("chat/", api.Chat.as_view(), name="chat"),
    path("chat/stream/", api.ChatStream.as_view(), name="chat-stream"),
    path("chat/stream/<uuid:pk>/", api.ChatStreamRest.as_view(), name="chat-stream-rest"),
    path("chat/turns/<uuid:pk>/", api.TurnDetail.as_view(), name="turn-detail"),
    path("usage/", api.Usage.as_view(), name="usage"),
    path("threads/", api.ThreadList.as_view(), name="thread-list"),
    path("threads/<uuid:pk>/", api.ThreadDetail.as_view(), name="thread-detail"),
]
