from django.urls import path

from compliance import api

urlpatterns = [path("compliance/events/", api.EventList.as_view(), name="event-list")]
