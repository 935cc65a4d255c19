# ruff: noqa: E501 - a table is read across
"""Documents that must be refused, each with the one mistake that must be named, and documents that must not be.

A row is (name, text, JSON pointer, message). The message is the whole of it: a wording changes here on purpose only.
"""

from __future__ import annotations

import json
from typing import Any

ORGANIZATION, MANAGEMENT = "o-exampleorgid", "111111111111"
ORIGIN = {"OrganizationId": ORGANIZATION, "ManagementAccountId": MANAGEMENT}
WITHOUT = object()


def statement(**changes: Any) -> dict[str, Any]:
    """A valid Allow with these fields changed; `WITHOUT` takes one out."""
    whole = {"Sid": "Join", "Effect": "Allow", "Action": "INVITE", "Origin": ORIGIN} | changes
    return {key: value for key, value in whole.items() if value is not WITHOUT}


def document(*statements: Any, **keys: Any) -> str:
    whole = {"Version": "2026-01-01", "Statement": list(statements)} | keys
    return json.dumps({key: value for key, value in whole.items() if value is not WITHOUT})


def one(**changes: Any) -> str:
    return document(statement(**changes))


def origin(**changes: Any) -> str:
    whole = ORIGIN | changes
    return one(Origin={key: value for key, value in whole.items() if value is not WITHOUT})


def condition(**changes: Any) -> str:
    return one(Condition=changes)


def transfer(**changes: Any) -> str:
    return one(**{"Action": "TRANSFER_RESPONSIBILITY"} | changes)


def deny(**changes: Any) -> str:
    return one(**{"Effect": "Deny"} | changes)


def typed(old: str, new: str) -> str:
    """A valid document whose text was changed by hand."""
    text = document(statement())
    assert text.count(old) == 1, f"{old!r} is not once in {text!r}"
    return text.replace(old, new)


S = "/Statement/0"
ORGANIZATIONS, ACCOUNTS = f"{S}/Origin/OrganizationId", f"{S}/Origin/ManagementAccountId"
CURRENT = f"{S}/Condition/CurrentOrganization"
BEFORE, AFTER = f"{S}/Condition/NotBefore", f"{S}/Condition/NotAfter"


def did_you_mean(word: str | None) -> str:
    return f' (did you mean "{word}"?)' if word else ""


def unknown_key(known: str, near: str | None = None) -> str:
    return f"unknown key{did_you_mean(near)}; known are {known}"


def unknown_top(near: str | None = None) -> str:
    return unknown_key("Version, Statement", near)


def unknown_field(near: str | None = None) -> str:
    return unknown_key("Sid, Effect, Action, Origin, Condition, Respond", near)


def unknown_origin(near: str | None = None) -> str:
    return unknown_key("OrganizationId, ManagementAccountId", near)


def unknown_condition(near: str | None = None) -> str:
    return unknown_key("CurrentOrganization, NotBefore, NotAfter", near)


def no_version(shown: str, near: str | None = None) -> str:
    return f'{shown} is not known{did_you_mean(near)}; use "2026-01-01"'


def no_effect(shown: str, near: str | None = None) -> str:
    return f'{shown} is not known{did_you_mean(near)}; use "Allow" or "Deny"'


def no_respond(shown: str, near: str | None = None) -> str:
    return f'{shown} is not known{did_you_mean(near)}; use "LeavePending" or "Decline"'


def no_action(shown: str, near: str | None = None) -> str:
    known = (
        '"INVITE" or "ENABLE_ALL_FEATURES" or "APPROVE_ALL_FEATURES"'
        ' or "ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE" or "TRANSFER_RESPONSIBILITY"'
    )
    return f"{shown} is not known{did_you_mean(near)}; use {known}"


def no_sid(shown: str) -> str:
    return f"{shown} is not a Sid: 1 to 64 letters, digits, - or _"


def no_organization(shown: str) -> str:
    return f"{shown} is not an organization id: o- and 10 to 32 lower-case letters or digits, no wildcard"


def no_account(shown: str) -> str:
    return f"{shown} is not an account id: 12 digits, in quotes"


A_CURRENT_ORGANIZATION = (
    "NONE, an organization id (o- and 10 to 32 lower-case letters or digits) or, for TRANSFER_RESPONSIBILITY, ANY"
)


def no_current(shown: str) -> str:
    return f"{shown} is not {A_CURRENT_ORGANIZATION}"


def no_time(shown: str) -> str:
    return f"{shown} is not a time with a zone, such as 2027-03-31T00:00:00Z"


def no_such_time(shown: str) -> str:
    return f"there is no such time as {shown}"


def cannot_be_read(line: int, column: int, message: str) -> str:
    return f"cannot be read, at line {line}, column {column}: {message}"


def not_json(line: int, column: int, message: str) -> str:
    return f"not JSON, at line {line}, column {column}: {message}"


TEXT_OR_LIST, TEXT, OBJECT, LIST = (
    f"must be {kind}, is " for kind in ("a text or a list", "a text", "an object", "a list")
)
MUST_SAY = ": an Allow, and a Deny that declines, must say for what and from whom"
EMPTY_LIST = "an empty list matches nothing; name at least one"
ONLY_DENY = "only a Deny can have this key"
TWICE = "this key is written more than once; JSON would keep only the last"
NO_DEFAULT = "CurrentOrganization is missing: an Allow for TRANSFER_RESPONSIBILITY has no default"
ANY_ALONE = "ANY stands alone, and only in a statement whose one Action is TRANSFER_RESPONSIBILITY"
NO_ORDER = "is before NotBefore, so the statement could never match"
IAM_S = "is IAM's; say Origin, with OrganizationId and ManagementAccountId"
NO_OPERATORS = "is IAM's; there are no operators here: say CurrentOrganization, NotBefore or NotAfter"
STRAY_COMMA = "nothing follows this comma; take it out"
NAME_QUOTES = "a key in double quotes must stand here"
VALUE = "a value must stand here: a text in double quotes, a number, true, false, null, [ or {"
COLON = "a colon must stand here"
COMMA = "a comma or } must stand here"
NO_END = "the text that begins here has no closing quote"
NOTHING_MORE = "nothing may follow the end of the document"
TOO_DEEP = "nested too deeply: more than 32 lists and objects in each other"
TOO_LARGE = "a number that is too large, or has more than 100 digits"
AT_SIGN = "(a text with an @ in it, not shown)"

NOT_JSON = [
    ("nothing", "", "", "the document is empty"),
    ("spaces", "   ", "", "the document is empty"),
    ("lines", "\n\r\n\t", "", "the document is empty"),
    ("single quotes", "{'Version': '2026-01-01'}", "", not_json(1, 2, NAME_QUOTES)),
    ("curly quotes", typed('"Sid"', "\u201cSid\u201d"), "", not_json(1, 42, "U+201C (LEFT DOUBLE QUOTATION MARK) does not belong here")),
    ("keys without quotes", "{Version: 1}", "", not_json(1, 2, NAME_QUOTES)),
    ("comma after the last key", '{"Version": "2026-01-01",\n}', "", not_json(1, 25, STRAY_COMMA)),
    ("comma after the last item", '{"Version": "2026-01-01", "Statement": [5,]}', "", not_json(1, 42, STRAY_COMMA)),
    ("missing comma", '{"Version": "2026-01-01"\n "Statement": []}', "", not_json(2, 2, COMMA)),
    ("missing colon", '{"Version" "2026-01-01"}', "", not_json(1, 12, COLON)),
    ("equals for colon", '{"Version" = "2026-01-01"}', "", not_json(1, 12, COLON)),
    ("missing brace", '{"Version": "2026-01-01"', "", not_json(1, 25, "the document ends here, but } is missing")),
    ("missing bracket", '{"Statement": [', "", not_json(1, 16, "the document ends here, but ] is missing")),
    ("text without its end", '{"Version": "2026-01-01}', "", not_json(1, 13, NO_END)),
    ("cut at 4 KB", document(*[statement()] * 40)[:4096], "", not_json(1, 4090, NO_END)),
    ("a line comment", '{\n  // ours\n  "Version": "2026-01-01"}', "", not_json(2, 3, NAME_QUOTES)),
    ("a block comment", '/* ours */ {"Version": "2026-01-01"}', "", not_json(1, 1, VALUE)),
    ("a hash comment", "# ours\n{}", "", not_json(1, 1, VALUE)),
    ("YAML", "Version: 2026-01-01\nStatement: []\n", "", not_json(1, 1, VALUE)),
    ("XML", "<Policy/>", "", not_json(1, 1, VALUE)),
    ("a path instead of a file", "file://policy.json", "", not_json(1, 1, VALUE)),
    ("base64", "eyJWZXJzaW9uIjoiMSJ9", "", not_json(1, 1, VALUE)),
    ("Python's True", '{"Version": True}', "", not_json(1, 13, VALUE)),
    ("undefined", '{"Version": undefined}', "", not_json(1, 13, VALUE)),
    ("two documents", '{"Version": "2026-01-01"} {"Version": "2026-01-01"}', "", not_json(1, 27, NOTHING_MORE)),
    ("a stray brace", document(statement()) + "}", "", not_json(1, 184, NOTHING_MORE)),
    ("a byte order mark", "\ufeff" + document(), "", not_json(1, 1, "it begins with a byte order mark; save it without one")),
    ("a zero-width space first", "\u200b" + document(), "", not_json(1, 1, "U+200B (ZERO WIDTH SPACE) does not belong here")),
    ("a zero-width space between", typed(', "Statement"', ',\u200b "Statement"'), "", not_json(1, 26, "U+200B (ZERO WIDTH SPACE) does not belong here")),
    ("a no-break space between", typed(', "Statement"', ',\u00a0"Statement"'), "", not_json(1, 26, "U+00A0 (NO-BREAK SPACE) does not belong here")),
    ("a NUL at the end", document() + "\0", "", not_json(1, 43, NOTHING_MORE)),
    ("a line break in a text", typed("Join", "Jo\nin"), "", not_json(1, 52, "a line break inside a text; is the closing quote missing?")),
    ("a tab in a text", typed("Join", "Join\t"), "", not_json(1, 54, r"U+0009 inside a text; write it as \u0009")),
    ("an unknown escape", typed("Join", r"Jo\in"), "", not_json(1, 52, r"there is no such escape; a backslash itself is written \\")),
    ("a cut escape", typed("Join", r"\u00"), "", not_json(1, 50, r"four hexadecimal digits must follow \u")),
    ("a hexadecimal number", '{"Version": 0x1}', "", not_json(1, 14, COMMA)),
    ("a plus sign", '{"Version": +1}', "", not_json(1, 13, VALUE)),
    ("an account id with a zero first, no quotes", typed(f'"{MANAGEMENT}"', "012345678901"), "", not_json(1, 167, COMMA)),
    ("NaN", '{"Version": NaN}', "", not_json(1, 13, "JSON has no NaN")),
    ("Infinity", '{"Version": Infinity}', "", not_json(1, 13, "JSON has no Infinity")),
    ("minus Infinity", '{"Version": -Infinity}', "", not_json(1, 13, "JSON has no -Infinity")),
    ("NaN deep inside", typed('"Join"', "NaN"), "", not_json(1, 49, "JSON has no NaN")),
    ("100,000 lists in each other", "[" * 100_000, "", cannot_be_read(1, 33, TOO_DEEP)),
    ("100,000 objects in each other", '{"Version":' * 100_000, "", cannot_be_read(1, 353, TOO_DEEP)),
    ("100,000 lists in a Sid", typed('"Join"', "[" * 100_000 + "]" * 100_000), "", cannot_be_read(1, 78, TOO_DEEP)),
]  # fmt: skip

TOP = [
    ("null", "null", "", OBJECT + "null"),
    ("true", "true", "", OBJECT + "true or false"),
    ("a number", "20260101", "", OBJECT + "a number"),
    ("a fraction", "1.5", "", OBJECT + "a number"),
    ("a text", '"Allow"', "", OBJECT + "a text"),
    ("a document inside a text", json.dumps(document()), "", OBJECT + "a text"),
    ("a list", "[]", "", OBJECT + "a list"),
    ("a list of documents", f"[{document()}]", "", OBJECT + "a list"),
    ("no Version", document(Version=WITHOUT), "", "Version is missing"),
    ("no Statement", document(Statement=WITHOUT), "", "Statement is missing"),
    ("IAM's Id", document(Id="p-1"), "/Id", unknown_top()),
    ("a comment key", document(Comment="ours"), "/Comment", unknown_top()),
    ("$schema", document(**{"$schema": "./policy.schema.json"}), "/$schema", "unknown key; the language is named by Version alone"),
    ("Version twice over, in lower case", document(version="2026-01-01"), "/version", unknown_top("Version")),
    ("Statements", document(Statements=[]), "/Statements", unknown_top("Statement")),
    ("Stmt", document(Stmt=[]), "/Stmt", unknown_top()),
    ("an empty key", document(**{"": 1}), "/", unknown_top()),
    ("a space before a key", document(**{" Version": 1}), "/ Version", unknown_top("Version")),
    ("a zero-width space in a key", document(**{"Vers\u200bion": 1}), r"/Vers\u200bion", unknown_top("Version")),
    ("a Cyrillic letter in a key", document(**{"Stat\u0435ment": []}), r"/Stat\u0435ment", unknown_top("Statement")),
    ("a slash and a tilde in a key", document(**{"a/b~c": 1}), "/a~1b~0c", unknown_top()),
    ("an e-mail address for a key", document(**{"mary@example.com": 1}), f"/{AT_SIGN}", unknown_top()),
    ("a very long key", document(**{"k" * 100: 1}), f"/{'k' * 76}...", unknown_top()),
    ("a line break in a key", document(**{"Version\n": 1}), r"/Version\n", unknown_top("Version")),
    ("IAM's Version", document(Version="2012-10-17"), "/Version", no_version('"2012-10-17"')),
    ("a Version to come", document(Version="2027-01-01"), "/Version", no_version('"2027-01-01"', "2026-01-01")),
    ("a Version without zeros", document(Version="2026-1-1"), "/Version", no_version('"2026-1-1"', "2026-01-01")),
    ("a Version with an en dash", document(Version="2026\u201301\u201301"), "/Version", no_version(r'"2026\u201301\u201301"', "2026-01-01")),
    ("a Version with a line break", document(Version="2026-01-01\n"), "/Version", no_version(r'"2026-01-01\n"', "2026-01-01")),
    ("a Version of full-width digits", document(Version="\uff12026-01-01"), "/Version", no_version(r'"\uff12026-01-01"', "2026-01-01")),
    ("a Version that is a word", document(Version="latest"), "/Version", no_version('"latest"')),
    ("an empty Version", document(Version=""), "/Version", no_version('""')),
    ("a Version without quotes", document(Version=20260101), "/Version", no_version("20260101")),
    ("a Version that is null", document(Version=None), "/Version", no_version("null")),
    ("a Version that is a list", document(Version=["2026-01-01"]), "/Version", no_version('["2026-01-01"]')),
    ("a Version without end", '{"Version": 1e999, "Statement": []}', "", cannot_be_read(1, 13, TOO_LARGE)),
    ("a Version with an e-mail address", document(Version="a@b"), "/Version", no_version(AT_SIGN)),
    ("a Statement that is null", document(Statement=None), "/Statement", LIST + "null"),
    ("a Statement that is an object", document(Statement=statement()), "/Statement", LIST + "an object"),
    ("a Statement that is a text", document(Statement="Join"), "/Statement", LIST + "a text"),
    ("a Statement that is true", document(Statement=True), "/Statement", LIST + "true or false"),
    ("null among statements", document(statement(), None), "/Statement/1", OBJECT + "null"),
    ("a text among statements", document("Join"), S, OBJECT + "a text"),
    ("a list among statements", document([statement()]), S, OBJECT + "a list"),
    ("a number among statements", document(5), S, OBJECT + "a number"),
]  # fmt: skip

SID_AND_EFFECT = [
    ("no Sid", one(Sid=WITHOUT), S, "Sid is missing"),
    ("a Sid that is null", one(Sid=None), f"{S}/Sid", TEXT + "null"),
    ("a Sid that is a number", one(Sid=1), f"{S}/Sid", no_sid("1")),
    ("a Sid that is a list", one(Sid=["Join"]), f"{S}/Sid", TEXT + "a list"),
    ("a Sid that is an object", one(Sid={}), f"{S}/Sid", TEXT + "an object"),
    ("an empty Sid", one(Sid=""), f"{S}/Sid", no_sid('""')),
    ("a Sid of 65 letters", one(Sid="a" * 65), f"{S}/Sid", no_sid(f'"{"a" * 65}"')),
    ("a Sid of 200 letters", one(Sid="a" * 200), f"{S}/Sid", no_sid(f'"{"a" * 76}...')),
    ("a space in a Sid", one(Sid="Join us"), f"{S}/Sid", no_sid('"Join us"')),
    ("a dot in a Sid", one(Sid="join.us"), f"{S}/Sid", no_sid('"join.us"')),
    ("a slash in a Sid", one(Sid="team/join"), f"{S}/Sid", no_sid('"team/join"')),
    ("a line break after a Sid", one(Sid="Join\n"), f"{S}/Sid", no_sid(r'"Join\n"')),
    ("a zero-width space in a Sid", one(Sid="Jo\u200bin"), f"{S}/Sid", no_sid(r'"Jo\u200bin"')),
    ("an accent in a Sid", one(Sid="Rejoins-l\u00e0"), f"{S}/Sid", no_sid(r'"Rejoins-l\u00e0"')),
    ("a right-to-left mark in a Sid", one(Sid="Join\u200f"), f"{S}/Sid", no_sid(r'"Join\u200f"')),
    ("half a character in a Sid", one(Sid="\ud800"), f"{S}/Sid", no_sid(r'"\ud800"')),
    ("an e-mail address for a Sid", one(Sid="mary@example.com"), f"{S}/Sid", no_sid(AT_SIGN)),
    ("a Sid twice", document(statement(), statement()), "/Statement/1/Sid", "Join is a Sid already, at parameter: /Statement/0/Sid; a Sid must be unique"),
    ("no Effect", one(Effect=WITHOUT), S, "Effect is missing"),
    ("Effect in lower case", one(Effect="allow"), f"{S}/Effect", no_effect('"allow"', "Allow")),
    ("Effect in upper case", one(Effect="DENY"), f"{S}/Effect", no_effect('"DENY"', "Deny")),
    ("Effect misspelt", one(Effect="Alow"), f"{S}/Effect", no_effect('"Alow"', "Allow")),
    ("another word for Effect", one(Effect="Permit"), f"{S}/Effect", no_effect('"Permit"')),
    ("Effect with a space", one(Effect="Allow "), f"{S}/Effect", no_effect('"Allow "', "Allow")),
    ("an empty Effect", one(Effect=""), f"{S}/Effect", no_effect('""')),
    ("Effect that is null", one(Effect=None), f"{S}/Effect", no_effect("null")),
    ("Effect that is true", one(Effect=True), f"{S}/Effect", no_effect("true")),
    ("Effect that is a list", one(Effect=["Allow"]), f"{S}/Effect", no_effect('["Allow"]')),
    ("Effect that is an object", one(Effect={"Allow": 1}), f"{S}/Effect", no_effect('{"Allow": 1}')),
    ("Effect that is very long", one(Effect=["x" * 100]), f"{S}/Effect", no_effect(f'["{"x" * 75}...')),
    ("Effect with a Cyrillic letter", one(Effect="\u0410llow"), f"{S}/Effect", no_effect(r'"\u0410llow"', "Allow")),
]  # fmt: skip

ACTION = [
    ("an Allow without Action", one(Action=WITHOUT), S, "Action is missing" + MUST_SAY),
    ("Action in lower case", one(Action="invite"), f"{S}/Action", no_action('"invite"', "INVITE")),
    ("Action misspelt", one(Action="INVIT"), f"{S}/Action", no_action('"INVIT"', "INVITE")),
    ("Action with a space", one(Action="INVITE "), f"{S}/Action", no_action('"INVITE "', "INVITE")),
    ("Action with a line break", one(Action="INVITE\n"), f"{S}/Action", no_action(r'"INVITE\n"', "INVITE")),
    ("Action with dashes", one(Action="ENABLE-ALL-FEATURES"), f"{S}/Action", no_action('"ENABLE-ALL-FEATURES"', "ENABLE_ALL_FEATURES")),
    ("Action in the singular", one(Action="APPROVE_ALL_FEATURE"), f"{S}/Action", no_action('"APPROVE_ALL_FEATURE"', "APPROVE_ALL_FEATURES")),
    ("Action in the plural", one(Action="TRANSFER_RESPONSIBILITIES"), f"{S}/Action", no_action('"TRANSFER_RESPONSIBILITIES"', "TRANSFER_RESPONSIBILITY")),
    ("Action without its middle", one(Action="ADD_SERVICE_LINKED_ROLE"), f"{S}/Action", no_action('"ADD_SERVICE_LINKED_ROLE"', "ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE")),
    ("a wildcard Action", one(Action="*"), f"{S}/Action", no_action('"*"')),
    ("an IAM Action", one(Action="organizations:*"), f"{S}/Action", no_action('"organizations:*"')),
    ("two Actions in one text", one(Action="INVITE,ENABLE_ALL_FEATURES"), f"{S}/Action", no_action('"INVITE,ENABLE_ALL_FEATURES"', "ENABLE_ALL_FEATURES")),
    ("an Action of full-width letters", one(Action="\uff29NVITE"), f"{S}/Action", no_action(r'"\uff29NVITE"', "INVITE")),
    ("an empty Action", one(Action=""), f"{S}/Action", no_action('""')),
    ("an Action that is null", one(Action=None), f"{S}/Action", TEXT_OR_LIST + "null"),
    ("an Action that is a number", one(Action=1), f"{S}/Action", TEXT_OR_LIST + "a number"),
    ("an Action that is true", one(Action=True), f"{S}/Action", TEXT_OR_LIST + "true or false"),
    ("an Action that is an object", one(Action={}), f"{S}/Action", TEXT_OR_LIST + "an object"),
    ("an empty list of Actions", one(Action=[]), f"{S}/Action", EMPTY_LIST),
    ("an empty list of Actions in a Deny", deny(Action=[]), f"{S}/Action", EMPTY_LIST),
    ("one misspelt of two Actions", one(Action=["INVITE", "ENABLE_FEATURES"]), f"{S}/Action/1", no_action('"ENABLE_FEATURES"', "ENABLE_ALL_FEATURES")),
    ("null among Actions", one(Action=[None]), f"{S}/Action/0", no_action("null")),
    ("a number among Actions", one(Action=["INVITE", 2]), f"{S}/Action/1", no_action("2")),
    ("a list among Actions", one(Action=[["INVITE"]]), f"{S}/Action/0", no_action('["INVITE"]')),
    ("an Action misspelt in a Deny", deny(Action="INVITES"), f"{S}/Action", no_action('"INVITES"', "INVITE")),
]  # fmt: skip

ORIGINS = [
    ("an Allow without Origin", one(Origin=WITHOUT), S, "Origin is missing" + MUST_SAY),
    ("an Origin that is null", one(Origin=None), f"{S}/Origin", OBJECT + "null"),
    ("an Origin that is a text", one(Origin=ORGANIZATION), f"{S}/Origin", OBJECT + "a text"),
    ("an Origin that is a list", one(Origin=[ORIGIN]), f"{S}/Origin", OBJECT + "a list"),
    ("an Origin without the organization", origin(OrganizationId=WITHOUT), f"{S}/Origin", "OrganizationId is missing"),
    ("an Origin without the account", origin(ManagementAccountId=WITHOUT), f"{S}/Origin", "ManagementAccountId is missing"),
    ("Organisation", origin(OrganisationId=ORGANIZATION), f"{S}/Origin/OrganisationId", unknown_origin("OrganizationId")),
    ("organizationId", origin(organizationId=ORGANIZATION), f"{S}/Origin/organizationId", unknown_origin("OrganizationId")),
    ("OrganizationIds", origin(OrganizationIds=[]), f"{S}/Origin/OrganizationIds", unknown_origin("OrganizationId")),
    ("MasterAccountId", origin(MasterAccountId=MANAGEMENT), f"{S}/Origin/MasterAccountId", unknown_origin("ManagementAccountId")),
    ("AccountId", origin(AccountId=MANAGEMENT), f"{S}/Origin/AccountId", unknown_origin()),
    ("an Arn for the origin", origin(Arn="arn:aws:x"), f"{S}/Origin/Arn", unknown_origin()),
    ("an organization that is a number", origin(OrganizationId=5), ORGANIZATIONS, no_organization("5")),
    ("an organization that is null", origin(OrganizationId=None), ORGANIZATIONS, TEXT_OR_LIST + "null"),
    ("an organization that is true", origin(OrganizationId=True), ORGANIZATIONS, no_organization("true")),
    ("an organization that is an object", origin(OrganizationId={"Id": ORGANIZATION}), ORGANIZATIONS, TEXT_OR_LIST + "an object"),
    ("no organization in the list", origin(OrganizationId=[]), ORGANIZATIONS, EMPTY_LIST),
    ("an empty organization", origin(OrganizationId=""), ORGANIZATIONS, no_organization('""')),
    ("an organization without o-", origin(OrganizationId="exampleorgid"), ORGANIZATIONS, no_organization('"exampleorgid"')),
    ("an organization in upper case", origin(OrganizationId="O-EXAMPLEORGID"), ORGANIZATIONS, no_organization('"O-EXAMPLEORGID"')),
    ("an organization one letter short", origin(OrganizationId="o-123456789"), ORGANIZATIONS, no_organization('"o-123456789"')),
    ("an organization one letter long", origin(OrganizationId="o-" + "a" * 33), ORGANIZATIONS, no_organization(f'"o-{"a" * 33}"')),
    ("every organization", origin(OrganizationId="*"), ORGANIZATIONS, no_organization('"*"')),
    ("a prefix of organizations", origin(OrganizationId="o-example*"), ORGANIZATIONS, no_organization('"o-example*"')),
    ("an organization with a line break", origin(OrganizationId="o-exampleorgid\n"), ORGANIZATIONS, no_organization(r'"o-exampleorgid\n"')),
    ("an organization with a space", origin(OrganizationId=" o-exampleorgid"), ORGANIZATIONS, no_organization('" o-exampleorgid"')),
    ("an organization with a zero-width space", origin(OrganizationId="o-exampleorgid\u200b"), ORGANIZATIONS, no_organization(r'"o-exampleorgid\u200b"')),
    ("an organization with a Cyrillic letter", origin(OrganizationId="o-ex\u0430mpleorgid"), ORGANIZATIONS, no_organization(r'"o-ex\u0430mpleorgid"')),
    ("an organization with an en dash", origin(OrganizationId="o\u2013exampleorgid"), ORGANIZATIONS, no_organization(r'"o\u2013exampleorgid"')),
    ("an organization's ARN", origin(OrganizationId="arn:aws:organizations::1:organization/o-x"), ORGANIZATIONS, no_organization('"arn:aws:organizations::1:organization/o-x"')),
    ("an account for an organization", origin(OrganizationId=MANAGEMENT), ORGANIZATIONS, no_organization(f'"{MANAGEMENT}"')),
    ("NONE for an organization", origin(OrganizationId="NONE"), ORGANIZATIONS, no_organization('"NONE"')),
    ("one bad organization of two", origin(OrganizationId=[ORGANIZATION, "o-x"]), f"{ORGANIZATIONS}/1", no_organization('"o-x"')),
    ("null among organizations", origin(OrganizationId=[None]), f"{ORGANIZATIONS}/0", TEXT + "null"),
    ("a number among organizations", origin(OrganizationId=[ORGANIZATION, 7]), f"{ORGANIZATIONS}/1", no_organization("7")),
    ("a list among organizations", origin(OrganizationId=[[ORGANIZATION]]), f"{ORGANIZATIONS}/0", TEXT + "a list"),
    ("a bad organization in a Deny", deny(Origin={"OrganizationId": "*"}), ORGANIZATIONS, no_organization('"*"')),
    ("no organization in a Deny's list", deny(Origin={"OrganizationId": []}), ORGANIZATIONS, EMPTY_LIST),
    ("an account without quotes", origin(ManagementAccountId=111111111111), ACCOUNTS, no_account("111111111111")),
    ("an account with an exponent", typed(f'"{MANAGEMENT}"', "1.1e11"), ACCOUNTS, no_account("110000000000.0")),
    ("an account that is null", origin(ManagementAccountId=None), ACCOUNTS, TEXT_OR_LIST + "null"),
    ("no account in the list", origin(ManagementAccountId=[]), ACCOUNTS, EMPTY_LIST),
    ("an empty account", origin(ManagementAccountId=""), ACCOUNTS, no_account('""')),
    ("an account of 11 digits", origin(ManagementAccountId="11111111111"), ACCOUNTS, no_account('"11111111111"')),
    ("an account of 13 digits", origin(ManagementAccountId="1111111111111"), ACCOUNTS, no_account('"1111111111111"')),
    ("an account with dashes", origin(ManagementAccountId="1111-1111-1111"), ACCOUNTS, no_account('"1111-1111-1111"')),
    ("an account's ARN", origin(ManagementAccountId="arn:aws:iam::111111111111:root"), ACCOUNTS, no_account('"arn:aws:iam::111111111111:root"')),
    ("every account", origin(ManagementAccountId="*"), ACCOUNTS, no_account('"*"')),
    ("an account by its e-mail address", origin(ManagementAccountId="diego@example.com"), ACCOUNTS, no_account(AT_SIGN)),
    ("an account of full-width digits", origin(ManagementAccountId="\uff11" * 12), ACCOUNTS, no_account(f'"{chr(92)}uff11{(chr(92) + "uff11") * 11}"')),
    ("an account with an Arabic digit", origin(ManagementAccountId="11111111111\u0661"), ACCOUNTS, no_account(r'"11111111111\u0661"')),
    ("an account with a line break", origin(ManagementAccountId="111111111111\n"), ACCOUNTS, no_account(r'"111111111111\n"')),
    ("an account with a space", origin(ManagementAccountId="111111111111 "), ACCOUNTS, no_account('"111111111111 "')),
    ("a number among accounts", origin(ManagementAccountId=[MANAGEMENT, 222222222222]), f"{ACCOUNTS}/1", no_account("222222222222")),
    ("an object among accounts", origin(ManagementAccountId=[{}]), f"{ACCOUNTS}/0", TEXT + "an object"),
    ("a bad account among accounts", origin(ManagementAccountId=[MANAGEMENT, "x"]), f"{ACCOUNTS}/1", no_account('"x"')),
]  # fmt: skip

CONDITIONS = [
    ("a Condition that is null", one(Condition=None), f"{S}/Condition", OBJECT + "null"),
    ("a Condition that is a list", one(Condition=[]), f"{S}/Condition", OBJECT + "a list"),
    ("a Condition that is a text", one(Condition="NONE"), f"{S}/Condition", OBJECT + "a text"),
    ("CurrentOrganisation", condition(CurrentOrganisation="NONE"), f"{S}/Condition/CurrentOrganisation", unknown_condition("CurrentOrganization")),
    ("currentOrganization", condition(currentOrganization="NONE"), f"{S}/Condition/currentOrganization", unknown_condition("CurrentOrganization")),
    ("an IAM operator", condition(StringEquals={"aws:PrincipalOrgID": "o-x"}), f"{S}/Condition/StringEquals", NO_OPERATORS),
    ("an IAM time operator", condition(DateLessThan={}), f"{S}/Condition/DateLessThan", unknown_condition()),
    ("Notafter", condition(Notafter="2027-01-01T00:00:00Z"), f"{S}/Condition/Notafter", unknown_condition("NotAfter")),
    ("NotBefor", condition(NotBefor="2027-01-01T00:00:00Z"), f"{S}/Condition/NotBefor", unknown_condition("NotBefore")),
    ("a current organization that is null", condition(CurrentOrganization=None), CURRENT, TEXT_OR_LIST + "null"),
    ("a current organization that is a number", condition(CurrentOrganization=0), CURRENT, no_current("0")),
    ("a current organization that is false", condition(CurrentOrganization=False), CURRENT, no_current("false")),
    ("no current organization in the list", condition(CurrentOrganization=[]), CURRENT, EMPTY_LIST),
    ("an empty current organization", condition(CurrentOrganization=""), CURRENT, no_current('""')),
    ("none in lower case", condition(CurrentOrganization="none"), CURRENT, no_current('"none"')),
    ("a wildcard current organization", condition(CurrentOrganization="*"), CURRENT, no_current('"*"')),
    ("a current organization too short", condition(CurrentOrganization="o-x"), CURRENT, no_current('"o-x"')),
    ("NONE with a line break", condition(CurrentOrganization="NONE\n"), CURRENT, no_current(r'"NONE\n"')),
    ("two current organizations in one text", condition(CurrentOrganization="NONE o-exampleorgid"), CURRENT, no_current('"NONE o-exampleorgid"')),
    ("UNKNOWN", condition(CurrentOrganization="UNKNOWN"), CURRENT, no_current('"UNKNOWN"')),
    ("one bad current organization of two", condition(CurrentOrganization=["NONE", "None"]), f"{CURRENT}/1", no_current('"None"')),
    ("null among current organizations", condition(CurrentOrganization=[None]), f"{CURRENT}/0", TEXT + "null"),
    ("ANY for an invitation", condition(CurrentOrganization="ANY"), CURRENT, ANY_ALONE),
    ("ANY in a list for an invitation", condition(CurrentOrganization=["ANY"]), CURRENT, ANY_ALONE),
    ("ANY beside NONE", transfer(Condition={"CurrentOrganization": ["ANY", "NONE"]}), CURRENT, ANY_ALONE),
    ("ANY for two actions", transfer(Action=["TRANSFER_RESPONSIBILITY", "INVITE"], Condition={"CurrentOrganization": "ANY"}), CURRENT, ANY_ALONE),
    ("ANY in a Deny of everything", deny(Action=WITHOUT, Condition={"CurrentOrganization": "ANY"}), CURRENT, ANY_ALONE),
    ("ANY in a Deny of an invitation", deny(Condition={"CurrentOrganization": "ANY"}), CURRENT, ANY_ALONE),
    ("a transfer without Condition", transfer(), f"{S}/Condition", NO_DEFAULT),
    ("a transfer with an empty Condition", transfer(Condition={}), f"{S}/Condition", NO_DEFAULT),
    ("a transfer with only a time", transfer(Condition={"NotAfter": "2027-01-01T00:00:00Z"}), f"{S}/Condition", NO_DEFAULT),
    ("a transfer beside an invitation", transfer(Action=["INVITE", "TRANSFER_RESPONSIBILITY"]), f"{S}/Condition", NO_DEFAULT),
]  # fmt: skip

TIMES = [
    ("a time that is null", condition(NotBefore=None), BEFORE, TEXT + "null"),
    ("a time that is a number", condition(NotAfter=1806451200), AFTER, no_time("1806451200")),
    ("a time in a list", condition(NotAfter=["2027-01-01T00:00:00Z"]), AFTER, TEXT + "a list"),
    ("an empty time", condition(NotBefore=""), BEFORE, no_time('""')),
    ("a word for a time", condition(NotAfter="tomorrow"), AFTER, no_time('"tomorrow"')),
    ("a date without a time", condition(NotAfter="2027-03-31"), AFTER, no_time('"2027-03-31"')),
    ("a time without a zone", condition(NotAfter="2027-03-31T00:00:00"), AFTER, no_time('"2027-03-31T00:00:00"')),
    ("a time without T", condition(NotAfter="2027-03-31 00:00:00Z"), AFTER, no_time('"2027-03-31 00:00:00Z"')),
    ("a time without seconds", condition(NotAfter="2027-03-31T00:00Z"), AFTER, no_time('"2027-03-31T00:00Z"')),
    ("a zone without a colon", condition(NotAfter="2027-03-31T00:00:00+0100"), AFTER, no_time('"2027-03-31T00:00:00+0100"')),
    ("a zone by its name", condition(NotAfter="2027-03-31T00:00:00 UTC"), AFTER, no_time('"2027-03-31T00:00:00 UTC"')),
    ("a comma for the fraction", condition(NotAfter="2027-03-31T00:00:00,5Z"), AFTER, no_time('"2027-03-31T00:00:00,5Z"')),
    ("ten digits of a fraction", condition(NotAfter="2027-03-31T00:00:00.1234567890Z"), AFTER, no_time('"2027-03-31T00:00:00.1234567890Z"')),
    ("a fraction without digits", condition(NotAfter="2027-03-31T00:00:00.Z"), AFTER, no_time('"2027-03-31T00:00:00.Z"')),
    ("a time with a line break", condition(NotAfter="2027-03-31T00:00:00Z\n"), AFTER, no_time(r'"2027-03-31T00:00:00Z\n"')),
    ("a year of two digits", condition(NotAfter="27-03-31T00:00:00Z"), AFTER, no_time('"27-03-31T00:00:00Z"')),
    ("a month of one digit", condition(NotAfter="2027-3-31T00:00:00Z"), AFTER, no_time('"2027-3-31T00:00:00Z"')),
    ("seconds since 1970 in quotes", condition(NotAfter="1806451200"), AFTER, no_time('"1806451200"')),
    ("a time the other way round", condition(NotAfter="31.03.2027 00:00"), AFTER, no_time('"31.03.2027 00:00"')),
    ("30 February", condition(NotBefore="2027-02-30T00:00:00Z"), BEFORE, no_such_time('"2027-02-30T00:00:00Z"')),
    ("29 February of a common year", condition(NotAfter="2027-02-29T00:00:00Z"), AFTER, no_such_time('"2027-02-29T00:00:00Z"')),
    ("month 13", condition(NotAfter="2027-13-01T00:00:00Z"), AFTER, no_such_time('"2027-13-01T00:00:00Z"')),
    ("month 0", condition(NotAfter="2027-00-01T00:00:00Z"), AFTER, no_such_time('"2027-00-01T00:00:00Z"')),
    ("hour 25", condition(NotAfter="2027-01-01T25:00:00Z"), AFTER, no_such_time('"2027-01-01T25:00:00Z"')),
    ("minute 60", condition(NotAfter="2027-01-01T00:60:00Z"), AFTER, no_such_time('"2027-01-01T00:60:00Z"')),
    ("second 60", condition(NotAfter="2027-01-01T00:00:60Z"), AFTER, no_such_time('"2027-01-01T00:00:60Z"')),
    ("a zone of 24 hours", condition(NotAfter="2027-01-01T00:00:00+24:00"), AFTER, no_time('"2027-01-01T00:00:00+24:00"')),
    ("a zone of 24 hours west", condition(NotBefore="2027-01-01T00:00:00-24:00"), BEFORE, no_time('"2027-01-01T00:00:00-24:00"')),
    ("a zone of 90 minutes in minutes", condition(NotAfter="2027-01-01T00:00:00-00:90"), AFTER, no_time('"2027-01-01T00:00:00-00:90"')),
    ("a zone of 60 minutes in minutes", condition(NotBefore="2027-01-01T00:00:00+01:60"), BEFORE, no_time('"2027-01-01T00:00:00+01:60"')),
    ("a zone of 99 hours", condition(NotAfter="2027-01-01T00:00:00+99:00"), AFTER, no_time('"2027-01-01T00:00:00+99:00"')),
    ("a zone with seconds", condition(NotAfter="2027-01-01T00:00:00+01:00:30"), AFTER, no_time('"2027-01-01T00:00:00+01:00:30"')),
    ("hour 24", condition(NotAfter="2027-01-01T24:00:00Z"), AFTER, no_such_time('"2027-01-01T24:00:00Z"')),
    ("year 0", condition(NotAfter="0000-01-01T00:00:00Z"), AFTER, no_such_time('"0000-01-01T00:00:00Z"')),
    ("a time before all time", condition(NotBefore="0001-01-01T00:00:00+23:59"), BEFORE, no_such_time('"0001-01-01T00:00:00+23:59"')),
    ("a time after all time", condition(NotAfter="9999-12-31T23:59:59-23:59"), AFTER, no_such_time('"9999-12-31T23:59:59-23:59"')),
    ("the end before the start", condition(NotBefore="2027-01-02T00:00:00Z", NotAfter="2027-01-01T00:00:00Z"), AFTER, NO_ORDER),
    ("the end before the start by its zone", condition(NotBefore="2027-01-01T00:00:00Z", NotAfter="2027-01-01T00:30:00+01:00"), AFTER, NO_ORDER),
    ("the end before the start in a Deny", deny(Condition={"NotBefore": "2027-01-02T00:00:00Z", "NotAfter": "2027-01-01T00:00:00Z"}), AFTER, NO_ORDER),
    ("the end a microsecond before the start", condition(NotBefore="2027-01-01T00:00:00.000001Z", NotAfter="2027-01-01T00:00:00Z"), AFTER, NO_ORDER),
]  # fmt: skip

RESPOND = [
    ("Decline on an Allow", one(Respond="Decline"), f"{S}/Respond", ONLY_DENY),
    ("LeavePending on an Allow", one(Respond="LeavePending"), f"{S}/Respond", ONLY_DENY),
    ("Respond in lower case", deny(Respond="decline"), f"{S}/Respond", no_respond('"decline"', "Decline")),
    ("Respond misspelt", deny(Respond="LeavePendign"), f"{S}/Respond", no_respond('"LeavePendign"', "LeavePending")),
    ("Respond in two words", deny(Respond="Leave pending"), f"{S}/Respond", no_respond('"Leave pending"', "LeavePending")),
    ("another word for Respond", deny(Respond="Reject"), f"{S}/Respond", no_respond('"Reject"')),
    ("Respond that is null", deny(Respond=None), f"{S}/Respond", no_respond("null")),
    ("Respond that is true", deny(Respond=True), f"{S}/Respond", no_respond("true")),
    ("Respond that is a list", deny(Respond=["Decline"]), f"{S}/Respond", no_respond('["Decline"]')),
    ("Decline without Action", deny(Respond="Decline", Action=WITHOUT), S, "Action is missing" + MUST_SAY),
    ("Decline without Origin", deny(Respond="Decline", Origin=WITHOUT), S, "Origin is missing" + MUST_SAY),
    ("Decline without the organization", deny(Respond="Decline", Origin={"ManagementAccountId": MANAGEMENT}), f"{S}/Origin", "OrganizationId is missing"),
    ("Decline without the account", deny(Respond="Decline", Origin={"OrganizationId": ORGANIZATION}), f"{S}/Origin", "ManagementAccountId is missing"),
]  # fmt: skip

KEYS = [
    ("IAM's Resource", one(Resource="*"), f"{S}/Resource", IAM_S),
    ("IAM's Principal", one(Principal="*"), f"{S}/Principal", IAM_S),
    ("IAM's NotAction", deny(NotAction="INVITE"), f"{S}/NotAction", unknown_field("Action")),
    ("action in lower case", one(action="INVITE"), f"{S}/action", unknown_field("Action")),
    ("Actions", one(Actions=["INVITE"]), f"{S}/Actions", unknown_field("Action")),
    ("sid in lower case", one(sid="Join"), f"{S}/sid", unknown_field("Sid")),
    ("Origins", one(Origins=[ORIGIN]), f"{S}/Origins", unknown_field("Origin")),
    ("Conditions", one(Conditions={}), f"{S}/Conditions", unknown_field("Condition")),
    ("Response", deny(Response="Decline"), f"{S}/Response", unknown_field("Respond")),
    ("Description", one(Description="ours"), f"{S}/Description", unknown_field()),
    ("the organization outside Origin", one(OrganizationId=ORGANIZATION), f"{S}/OrganizationId", "belongs in Origin"),
    ("NotAfter outside Condition", one(NotAfter="2027-01-01T00:00:00Z"), f"{S}/NotAfter", "belongs in Condition"),
    ("CurrentOrganization outside Condition", one(CurrentOrganization="NONE"), f"{S}/CurrentOrganization", "belongs in Condition"),
    ("a Cyrillic letter in Action", one(**{"\u0410ction": "INVITE"}), f"{S}/\\u0410ction", unknown_field("Action")),
    ("a second statement's key", document(statement(), statement(Sid="B", X=1)), "/Statement/1/X", unknown_field()),
    ("Version written twice", typed('{"Version"', '{"Version": "2026-01-01", "Version"'), "/Version", TWICE),
    ("Statement written twice", typed(', "Statement"', ', "Statement": [], "Statement"'), "/Statement", TWICE),
    ("Sid written twice", typed('"Sid"', '"Sid": "Other", "Sid"'), f"{S}/Sid", TWICE),
    ("Effect written twice", typed('"Effect"', '"Effect": "Deny", "Effect"'), f"{S}/Effect", TWICE),
    ("Action written thrice", typed('"Action"', '"Action": 1, "Action": 2, "Action"'), f"{S}/Action", TWICE),
    ("Origin written twice", typed('"Origin"', '"Origin": {}, "Origin"'), f"{S}/Origin", TWICE),
    ("OrganizationId written twice", typed('"OrganizationId"', '"OrganizationId": "o-sandbox0001", "OrganizationId"'), ORGANIZATIONS, TWICE),
    ("the same key and value twice", typed('"ManagementAccountId"', f'"ManagementAccountId": "{MANAGEMENT}", "ManagementAccountId"'), ACCOUNTS, TWICE),
    ("a key twice, once escaped", typed('"Sid"', '"\\u0053id": "Other", "Sid"'), f"{S}/Sid", TWICE),
    ("NotAfter written twice", condition(NotAfter="2027-01-01T00:00:00Z").replace('{"NotAfter"', '{"NotAfter": "2028-01-01T00:00:00Z", "NotAfter"'), AFTER, TWICE),
]  # fmt: skip

BAD = [*NOT_JSON, *TOP, *SID_AND_EFFECT, *ACTION, *ORIGINS, *CONDITIONS, *TIMES, *RESPOND, *KEYS]

GOOD = [
    ("no statement at all", document()),
    ("one line", document(statement())),
    ("every Action", one(Action=["INVITE", "ENABLE_ALL_FEATURES", "APPROVE_ALL_FEATURES", "ADD_ORGANIZATIONS_SERVICE_LINKED_ROLE"])),
    ("an Action twice", one(Action=["INVITE", "INVITE"])),
    ("the shortest ids", origin(OrganizationId="o-0123456789", ManagementAccountId="000000000000")),
    ("the longest ids", one(Sid="a_-9" * 16, Origin=ORIGIN | {"OrganizationId": "o-" + "z9" * 16})),
    ("lists everywhere", one(Action=["INVITE"], Origin={"OrganizationId": [ORGANIZATION, "o-sandbox0001"], "ManagementAccountId": [MANAGEMENT]}, Condition={"CurrentOrganization": ["NONE", ORGANIZATION]})),
    ("an empty Condition", one(Condition={})),
    ("a Deny of everything", deny(Action=WITHOUT, Origin=WITHOUT)),
    ("a Deny with an empty Origin", deny(Action=WITHOUT, Origin={})),
    ("a Deny that says LeavePending", deny(Action=WITHOUT, Origin=WITHOUT, Respond="LeavePending")),
    ("a Deny that declines", deny(Respond="Decline")),
    ("a Deny of a transfer without a current organization", deny(Action="TRANSFER_RESPONSIBILITY")),
    ("a Deny of a transfer anywhere", deny(Action="TRANSFER_RESPONSIBILITY", Condition={"CurrentOrganization": "ANY"})),
    ("a transfer anywhere", transfer(Condition={"CurrentOrganization": "ANY"})),
    ("a transfer anywhere, as a list", transfer(Action=["TRANSFER_RESPONSIBILITY"], Condition={"CurrentOrganization": ["ANY"]})),
    ("a transfer and an invitation that state where", transfer(Action=["INVITE", "TRANSFER_RESPONSIBILITY"], Condition={"CurrentOrganization": ["NONE", ORGANIZATION]})),
    ("one moment", condition(NotBefore="2027-01-01T00:00:00Z", NotAfter="2027-01-01T00:00:00Z")),
    ("the same moment in two zones", condition(NotBefore="2027-01-01T01:00:00+01:00", NotAfter="2027-01-01T00:00:00Z")),
    ("times in lower case", condition(NotBefore="2026-01-01t00:00:00z", NotAfter="2027-01-01t00:00:00.5z")),
    ("a fraction of nine digits", condition(NotAfter="2027-01-01T00:00:00.123456789-00:00")),
    ("29 February of a leap year", condition(NotAfter="2028-02-29T23:59:59+23:59")),
    ("pretty printed with Windows line ends", json.dumps(json.loads(document(statement())), indent=2).replace("\n", "\r\n")),
    ("white space around", f"\n\t {document(statement())} \n"),
    ("escapes in keys", typed('"Sid"', '"\\u0053id"')),
    ("more than 8 KB", document(*[statement(Sid=f"Join{number}") for number in range(100)])),
]  # fmt: skip
