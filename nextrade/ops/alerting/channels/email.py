"""Mail by EMAIL_URL: the guide's subject and sender."""

import smtplib
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from nextrade.ops.alerting.channels.base import TIMEOUT_S, Undelivered
from nextrade.ops.alerting.notices import Notice

LONGEST_SUBJECT = 200
FOR_EVER = (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError)


class Email:
    name = "email"

    def is_configured(self) -> bool:
        return bool(settings.ALERT_EMAIL_TO)

    def send(self, notice: Notice) -> str:
        mail = message(notice)
        mail.connection = _connection()
        try:
            mail.send()
        except FOR_EVER as error:
            code = getattr(error, "smtp_code", 550)
            raise Undelivered(f"SMTP {code}", code=str(code), is_final=code >= 500) from error
        except (smtplib.SMTPException, OSError) as error:
            raise Undelivered(f"no answer: {type(error).__name__}") from error
        return "250"


def message(notice: Notice) -> EmailMessage:
    page = notice.runbook.rpartition("/")[2]
    return EmailMessage(
        subject=f"[NexTrade Alert] {one_line(notice.subject)[:LONGEST_SUBJECT]}",
        body=f"{notice.text}\n\nPriority: {notice.priority}\nWhat to do: {settings.RUNBOOKS_URL}/{page}\n"
        f"Acknowledge: {settings.PUBLIC_URL}/admin/ops/\n",
        from_email=settings.ALERT_EMAIL_FROM,
        to=list(settings.ALERT_EMAIL_TO),
        headers={"X-NexTrade-Alert": notice.rule, "Auto-Submitted": "auto-generated"},
    )


def one_line(text: str) -> str:
    """A header must not become two."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _connection() -> Any:
    """With a time-out, where the backend has one."""
    connection = get_connection(fail_silently=False)
    if hasattr(connection, "timeout"):
        connection.timeout = TIMEOUT_S
    return connection
