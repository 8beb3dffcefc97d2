"""Turns of phrase that the lexicon does not reach: each a category, a score, a pattern and its hints.

Written from what attackers of a desk want (its records, limits, tools, other people's data) and from how instructions
are taken back in the open. Gaps are bounded, so no pattern can run away.
"""
# ruff: noqa: E501  a pattern cut in two is harder to read

from agents.guarding.text_rules import TextRule, text_rule

_RECORD = r"(?:execution|fill|filled|purchase|cost|entry|book|trade|order)s?\s(?:price|date|time|quantity|history|record|log)s?"
_TOOL = (
    r"\b(?:insert|update|approve|execute|submit|place|delete|set|force|override|bypass|fill|settle|grant|modify|write|drop)"
    r"_[a-z_]{3,40}\b"
)
_OWN_LIMIT = r"(?:trading|position|order[ -]?size|credit|risk|exposure|daily|loss|buying|approval)s?\s(?:limit|cap|threshold|maximum)s?"
_FLAGS = r"(?:guardrails?|safety|safeguards|approvals?|restrictions?|filters?|moderation|compliance|limits?)"

PHRASES: tuple[TextRule, ...] = (
    text_rule(
        "call an internal tool by name",
        "approval bypass",
        75,
        rf"\b(?:call|use|run|invoke|trigger|execute|with|via)\b[^.?!\n]{{0,40}}{_TOOL}|{_TOOL}\s{{0,2}}\(",
        "_",
    ),
    text_rule(
        "rewrite the records",
        "approval bypass",
        70,
        rf"^(?!\W{{0,4}}(?:what|why|how|when|where|who|which|does|did|is|was|were)\b)[^?\n]{{0,60}}\b(?:set|change|rewrite|edit|overwrite|alter|falsify)\b"
        rf"[^.?!\n]{{0,40}}\b{_RECORD}[^?!\n]{{0,80}}\b(?:database|db|\d dollars|dated)"
        r"|(?:^|please |and |then )back-?date\b[^.?!\n]{0,60}\b(?:order|trade|buy|sale|purchase|fill|execution)"
        r"|\binto my (?:trade |order )?history\b[^?\n]{0,60}\b(?:dated|last)\b",
        "price",
        "date",
        "history",
        "record",
    ),
    text_rule(
        "raise the own limits",
        "approval bypass",
        70,
        rf"(?:^|[.!;:,]\s{{0,3}}|\b(?:please|now|and|then)\s)(?:raise|increase|lift|remove|set|bump|double|drop|unlock|change)\s(?:my|the|our|all)\s(?:\w+\s){{0,2}}{_OWN_LIMIT}\b[^?\n]{{0,60}}\b(?:to|completely|entirely|unlimited|now|for me)\b",
        "limit",
        "cap",
        "threshold",
        "maximum",
    ),
    text_rule(
        "ignore what stands above",
        "override",
        75,
        r"\b(?:ignore|disregard|forget|skip|ignorier\w*|vergiss)\s(?:everything |anything |all |the |alles )?(?:of the )?(?:above|preceding text|text above|oben\w*|bisherige\w*)\b(?!\s?(?:\$|\d|average|the \d|my)|.{0,12}\bi mean)",
        "above",
        "preceding",
        "oben",
        "bisherig",
    ),
    text_rule(
        "change your instructions",
        "override",
        75,
        r"\b(?:change|replace|rewrite|overwrite|swap|delete|erase|reset|clear|update|alter|modify|load|ersetze|ändere|lösche)\b[^.?!\n]{0,25}\b(?:your|its|the (?:system|assistant'?s|bot'?s|model'?s)|deine|ihre)\s(?:\w+\s){0,2}(?:instructions?|guidelines|system prompt|prompt|programming|directives?|anweisungen|vorgaben|settings)\b"
        r"|\bas your (?:new )?(?:settings|instructions|system prompt|configuration|rules|policy)\b",
        "your",
        "its",
        "assistant",
        "system",
        "bot",
        "model",
        "deine",
        "ihre",
    ),
    text_rule(
        "despite what you were told",
        "override",
        70,
        r"\b(?:despite|regardless of|notwithstanding|contrary to|no matter|instead of|trotz|ungeachtet)\b[^.?!\n]{0,20}\b(?:what(?:ever)? )?(?:you(?:'ve| have| were|r instructions)|dir|ihnen)\b[^.?!\n]{0,25}\b(?:told|instructed|taught|programmed|trained|instructions|gesagt|vorgegeben)\b",
        "despite",
        "regardless",
        "notwithstanding",
        "contrary",
        "no matter",
        "instead",
        "trotz",
        "ungeachtet",
    ),
    text_rule(
        "leave all before behind",
        "override",
        75,
        r"\b(?:all(?:e[rnms]?)?|any|every(?:thing)?|sämtliche\w?|jegliche\w?)\s(?:\w+\s){0,2}?(?:previous|prior|earlier|former|preceding|vor(?:her|an|ig|angegangen)\w{0,12}|bisherig\w{0,3}|früher\w{0,3})\s(?:information|informationen|tasks?|aufgaben?|assignments?|context|conversations?|commands?|prompts?)\b[^?\n]{0,80}\b(?:behind|irrelevant|out of your (?:mind|head)|void|obsolete|hinter (?:sich|dir)|streich\w{0,3}|vergess\w{0,3}|aus dem kopf|nicht (?:ganz )?\w{0,12}|erased?|deleted?)\b",
        "previous",
        "prior",
        "earlier",
        "former",
        "preceding",
        "vor",
        "bisherig",
        "früher",
    ),
    text_rule(
        "only say what I say",
        "override",
        70,
        r"\bdo not (?:answer|look|read|use|consult)\b[^.?!\n]{0,50}\b(?:just|only|simply|instead)\b[^.?!\n]{0,12}\b(?:output|say|print|write|answer|reply)\b"
        r"|^\W{0,4}(?:stop|halt|stopp)\s{0,2}[:!-]{1,2}\s{0,2}(?:write|say|print|output|schreib\w{0,2}|sag\w{0,2})\b",
        "do not",
        "stop",
        "halt",
    ),
    text_rule(
        "rules you hide",
        "prompt extraction",
        75,
        r"\b(?:rules|instructions|guidelines|prompt|directives)\b[^.?!\n]{0,20}\b(?:are )?you(?:'re| are)? (?:hiding|keeping|concealing|not (?:telling|showing|allowed to (?:tell|show)))"
        r"|\byour (?:\w+ ){0,2}(?:rules|instructions|guidelines|directives)\b[^.!\n]{0,40}[?.]\s{0,3}(?:list|print|quote|recite|repeat|write|give)\b[^.?!\n]{0,30}\b(?:verbatim|word for word|exactly|each|every)\b"
        r"|\b(?:your (?:initial|original|system|internal|hidden|secret|developer)|the (?:hidden|secret|developer)) (?:rules|message|guidelines|directives)\b",
        "rules",
        "instructions",
        "guidelines",
        "prompt",
        "directives",
        "message",
    ),
    text_rule(
        "personal data of others",
        "other people's data",
        75,
        r"\b(?:e-?mails?(?: addresses)?|phone numbers?|account (?:numbers?|ids?)|names|addresses|holdings|positions|balances|portfolios?)\b[^.?!\n]{0,30}\b(?:of|for|from|belonging to)\s(?:(?:every(?:body|one)|any(?:body|one)|people|whoever)\b[^.?!\n]{0,12}\b(?:bought|buys|sold|sells|holds?|owns?|trades?|uses?|on (?:the|this) (?:desk|platform|app))|(?:all|the other|other) (?:\w+ )?(?:users|customers|clients|traders))\b"
        r"|\bwithout (?:the |a |any )?(?:user|owner|account|tenant|row|permission)[ _-]?(?:id )?(?:filter|check|restriction|scope|limit)\b"
        r"|\bhow (?:many|much)\b[^.!\n]{0,40}\bdoes (?-i:[A-Z]\w{1,20}(?: [A-Z]\w{1,20})?) (?:hold|own|have)\b[^\n]{0,80}\b(?:colleague|customer|client|user|neighbou?r|coworker|uses this|here too|on this)\b"
        r"|\bmy user ?(?:id|name) is (?:actually|really|now)\b",
        "mail",
        "phone",
        "account",
        "names",
        "address",
        "holdings",
        "positions",
        "balance",
        "portfolio",
        "without",
        "how m",
        "my user",
    ),
    text_rule(
        "agree step by step",
        "approval bypass",
        70,
        r"\b(?:agree|admit|confirm|accept)\b[^\n]{0,160}\b(?:agree|admit|confirm|accept|therefore|so)\b[^\n]{0,120}\b(?:without (?:one|a human|anyone|approval|asking|waiting)|skip|no approval)\b",
        "agree",
        "admit",
        "confirm",
        "accept",
    ),
    text_rule(
        "a figure without approval",
        "role play",
        70,
        r"\b(?:you(?:'re| are)|play|as|be|called|named)\b[^\n]{0,160}\b(?:never|doesn't|does not|needn't|without) (?:ever )?(?:ask\w{0,3}|need\w{0,3}|wait\w{0,3}|seek\w{0,3}|bother\w{0,3})?[^.\n]{0,30}\b(?:approvals?|permission|compliance|reviewers?|humans?)\b[^\n]{0,80}\b(?:fill|buy|sell|execute|trade|order)",
        "approval",
        "permission",
        "compliance",
        "reviewer",
        "human",
    ),
    text_rule(
        "settings that switch off safety",
        "fake chat tokens",
        75,
        rf"^\W{{0,6}}[\"']?(?:{_FLAGS}|human_in_the_loop|require_?\w{{0,12}})[\"']?\s{{0,2}}[:=]\s{{0,2}}[\"']?(?:\[\]|none|off|false|no|0|null|disabled|never|skip(?:ped)?|bypass(?:ed)?)[\"']?\s{{0,3}}[,;}}\])]{{0,2}}\s{{0,3}}$",
        ":",
        "=",
    ),
)
