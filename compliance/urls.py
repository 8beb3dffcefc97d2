from django.urls import path

from compliance import api

urlpatterns = [
    path("compliance/events/", api.EventList.as_view(), name="event-list"),
    path("compliance/events/<int:pk>/proof/", api.EventProof.as_view(), name="event-proof"),
]
