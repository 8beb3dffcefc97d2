"""Word rules about other people's data, and about data that should leave the desk."""

from agents.guarding.word_rules import WordRule, word_rule

PEOPLE: tuple[WordRule, ...] = (
    # other people's data
    word_rule(
        "data of another user",
        "other people's data",
        75,
        "reveal|what ~6 holdings ~4 user1 num",
        "user1 num .4 holdings",
        "reveal|what ~4 user1 num",
        "holdings ~3 of user1 num",
        "pretend|mark|turn|be .3 user1 num",
        "user1 num .5 reveal",
    ),
    word_rule(
        "data of all users",
        "other people's data",
        75,
        "reveal ~6 other ~2 users !of",
        "reveal ~6 other ~2 users of .2 us|yours",
        "reveal ~4 holdings ~3 other ~2 users",
        "other ~2 users .4 holdings .6 reveal",
        "reveal ~3 users ~4 holdings",
        "other users .4 reveal",
        "what .6 other users .4 holdings",
        "what .4 'richest|wealthiest|biggest|ricos|riches|reichsten .2 users",
        "users .2 'richest|wealthiest|ricos|riches|reichsten",
        "'richest|wealthiest .2 users",
        asking_is_fine=True,
    ),
    word_rule(
        "whose orders",
        "other people's data",
        70,
        "'whose .1 orders|holdings .2 'are|is|wait|waiting|pending",
        "what|reveal ~3 holdings .6 'who|person .3 stamp|approve|'approves",
    ),
    word_rule(
        "conversation of another user",
        "other people's data",
        75,
        "'user|person|customer|client|trader|one prior 'me",
        "reveal .6 'previous|last|prior|other|another 'user|customer|client|session|person",
        "what .4 'previous|last|prior 'user|customer|client|person",
    ),
    word_rule(
        "data of a colleague",
        "other people's data",
        60,
        "reveal .5 kin .5 holdings",
        "reveal .5 holdings .4 kin",
        "what .5 kin .4 'hold|holds|own|owns|buy|bought|have|has|holdings",
    ),
    word_rule(
        "change the user id",
        "other people's data",
        75,
        "mark|turn|send|be|trade .4 'user|thread|account|session|userid 'id",
        "'user|thread|session 'id .3 as|'another",
    ),
    # exfiltration
    word_rule(
        "send data out",
        "exfiltration",
        75,
        "send .10 loot .10 where",
        "send|reveal .6 where .12 loot",
        "where .8 send .8 loot",
        "where .6 'contains|containing|including|carrying|query .4 loot",
        "send .8 other .2 users .10",
    ),
)
