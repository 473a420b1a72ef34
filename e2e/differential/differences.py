"""Where our replies may differ from redis-server 7.0's, row by row, each with the reason.

`agree(args, ours, theirs)` says whether two replies that are not the same bytes still are what the reason allows.
"""

import collections

import resp

CLOCK_SECONDS = 60  # of a machine that is busy; generated times are farther apart

Difference = collections.namedtuple("Difference", "rows reason agree")


def same_time(per_second):
    def agree(_, ours, theirs):
        a, b = ours.integer(), theirs.integer()
        return a is not None and b is not None and a >= 0 and b >= 0 and abs(a - b) <= CLOCK_SECONDS * per_second

    return agree


def rounding_overflows(_, ours, theirs):
    return ours.integer() == 9223372036854776 and theirs.integer() is not None and theirs.integer() < 0


def same_kind(_, ours, theirs):
    return ours.kind == theirs.kind and (ours.value is None) == (theirs.value is None)


def same_elements(_, ours, theirs):
    return ours.kind == theirs.kind and not ours.is_error() and sorted(map(repr, ours.value)) == sorted(map(repr, theirs.value))


def same_page(args, ours, theirs):
    """Cursor and keys: compared where one call says it all."""
    if ours.kind != "*" or theirs.kind != "*" or len(ours.value) != 2 or len(theirs.value) != 2:
        return False
    whole = args[1] == b"0" and ours.value[0].value == b"0" and theirs.value[0].value == b"0"
    return not whole or same_elements(args, ours.value[1], theirs.value[1])


def same_but(*positions):
    """Arrays that differ only in elements of the same kind at `positions`."""
    def agree(_, ours, theirs):
        if ours.kind != theirs.kind or ours.is_error() or len(ours.value) != len(theirs.value):
            return False
        return all(a.kind == b.kind if i in positions else a == b
                   for i, (a, b) in enumerate(zip(ours.value, theirs.value)))

    return agree


OF_CONNECTION = ("name", "db", "sub", "psub", "ssub", "multi", "cmd", "user", "redir", "resp")


def client_fields(reply):
    """One dict per line of CLIENT LIST or CLIENT INFO, without what Redis 7.2 added."""
    text = reply.value.decode("latin-1").removeprefix("txt:")
    lines = [dict(field.split("=", 1) for field in line.split(" ")) for line in text.splitlines()]
    return [{k: v for k, v in line.items() if k not in ("lib-name", "lib-ver")} for line in lines]


def same_client(_, ours, theirs):
    if ours.kind != theirs.kind or ours.is_error():
        return False
    (mine,), (yours,) = client_fields(ours), client_fields(theirs)
    return list(mine) == list(yours) and all(mine[f] == yours[f] for f in OF_CONNECTION)


def same_client_fields(_, ours, theirs):
    if ours.kind != theirs.kind or ours.is_error():
        return False
    mine, yours = client_fields(ours), client_fields(theirs)
    return bool(mine) and bool(yours) and all(list(line) == list(yours[0]) for line in mine)


def own_help(args, ours, theirs):
    first = b"%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:" % args[0].upper()
    return ours.kind == theirs.kind == "*" and ours.value[0].value == theirs.value[0].value == first


def unknown_to_redis(_, ours, theirs):
    return theirs.is_error() and theirs.value.startswith(b"ERR unknown")


OURS_ONLY = (b"client|setinfo", b"client|no-touch", b"shardgroup")
SUBCOMMANDS = 9  # of an element of COMMAND


def known(rows):
    """COMMAND's elements by name, subcommands among them, without rows that Redis 7.0 does not have."""
    found = {}
    for row in rows:
        if row.value[0].value.startswith(OURS_ONLY):
            continue
        found[row.value[0].value] = row.value[:SUBCOMMANDS]
        found.update(known(row.value[SUBCOMMANDS].value))
    return found


def same_rows(_, ours, theirs):
    """Every row that both have is described in the same words."""
    if ours.kind != theirs.kind or ours.is_error():
        return False
    mine, yours = known(ours.value), known(theirs.value)
    return all(yours.get(name) == row for name, row in mine.items())


def same_infos(args, ours, theirs):
    """Element for element, as same_rows; a null is a null."""
    if ours.kind != theirs.kind or ours.is_error():
        return False
    if len(args) == 2:
        return same_rows(args, ours, theirs)
    return len(ours.value) == len(theirs.value) and all(
        a == b or name.startswith(OURS_ONLY) or (isinstance(a.value, list) and isinstance(b.value, list)
                                                 and same_rows(args, resp.Reply("*", [a]), resp.Reply("*", [b])))
        for name, a, b in zip(map(bytes.lower, args[2:]), ours.value, theirs.value))


def known_names(_, ours, theirs):
    if ours.kind != theirs.kind or ours.is_error():
        return False
    yours = {name.value for name in theirs.value}
    return all(name.value in yours or name.value.startswith(OURS_ONLY) for name in ours.value)


DOC_FIELDS = ({b"summary", b"since", b"group", b"complexity"},
              {b"summary", b"since", b"group", b"complexity", b"doc_flags", b"deprecated_since", b"replaced_by"})


def same_docs(_, ours, theirs):
    """The same names; since, group and deprecation are facts and the same, the texts are our own."""
    if ours.kind != theirs.kind or ours.is_error():
        return False
    mine = {k.value: v for k, v in ours.pairs() if not k.value.startswith(OURS_ONLY)}
    yours = {k.value: v for k, v in theirs.pairs()}
    return all(name in yours and same_doc(doc, yours[name]) for name, doc in mine.items())


def same_doc(ours, theirs):
    mine = {k.value: v for k, v in ours.pairs() if k.value != b"subcommands"}
    yours = {k.value: v for k, v in theirs.pairs()}
    facts = [f for f in (b"since", b"group", b"doc_flags", b"deprecated_since") if f in mine]
    return set(mine) in DOC_FIELDS and all(mine[f] == yours.get(f) for f in facts)


def same_settings(_, ours, theirs):
    """Each of our settings is one of Redis's, with its value but for what is ours by nature."""
    if ours.kind != theirs.kind or ours.is_error():
        return False
    yours = {k.value.lower(): v.value for k, v in theirs.pairs()}
    return all(k.value in yours and (v.value == yours[k.value] or k.value in (b"appendonly", b"port"))
               for k, v in ours.pairs())


def info_text(reply):
    return reply.value.decode("latin-1").removeprefix("txt:")


INFO_OURS = {"eraftkdb_version"}
INFO_BY_USE = ("Commandstats", "Errorstats", "Latencystats", "Keyspace")  # whose fields tell what was done


def info_sections(reply):
    """{heading: its fields' names}, without our own section."""
    sections, fields = {}, None
    for line in info_text(reply).split("\r\n"):
        if line.startswith("# "):
            fields = sections.setdefault(line[2:], set())
        elif line:
            fields.add(line.partition(":")[0])
    sections.pop("Meta", None)
    return sections


def keyspace_counts(reply):
    """The lines of "# Keyspace" without the average time to live, which is an estimate."""
    lines = info_text(reply).partition("# Keyspace\r\n")[2].partition("\r\n\r\n")[0].split("\r\n")
    return [line.partition(",avg_ttl=")[0] for line in lines if line]


def same_info(_, ours, theirs):
    """The same sections in the same order; each of our fields is one of Redis's, or named above."""
    if ours.kind != theirs.kind or ours.is_error():
        return False
    ours, theirs = info_sections(ours), info_sections(theirs)
    return list(ours) == list(theirs) and all(
        ours[heading] <= theirs[heading] | INFO_OURS for heading in ours if heading not in INFO_BY_USE)


def any_integer(_, ours, theirs):
    return ours.kind == theirs.kind == ":"


DIFFERENCES = [
    Difference(("ttl", "expiretime"), "the two clocks are not read at the same moment", same_time(1)),
    Difference(("pttl", "pexpiretime"), "the two clocks are not read at the same moment", same_time(1000)),
    Difference(("expiretime", "ttl"), "Redis overflows when it rounds an expiry within 500 ms of the largest integer",
               rounding_overflows),
    Difference(("keys",), "the order of KEYS is unspecified", same_elements),
    Difference(("randomkey",), "RANDOMKEY is random", same_kind),
    Difference(("scan",), "cursors and pages are each server's own; scan_test.py covers whole walks", same_page),
    Difference(("client|id",), "ids are each server's own", any_integer),
    Difference(("time",), "the two clocks are not read at the same moment", same_but(0, 1)),
    Difference(("hello",), "the client's id is each server's own", same_but(7)),
    Difference(("wait",), "our writes are on a majority when they are acknowledged; the reference has no replicas", any_integer),
    Difference(("client|info",), "addresses, ages and buffers are each connection's own; lib-name, lib-ver and flag T "
               "are of 7.2, and so is that RESET takes back NO-EVICT", same_client),
    Difference(("client|list",), "the connections are each server's own; lib-name and lib-ver are of 7.2", same_client_fields),
    Difference(("client|help", "command|help", "config|help"), "the subcommands that we have, in our words", own_help),
    Difference(("client|setinfo", "client|no-touch"), "of Redis 7.2: golden.txt", unknown_to_redis),
    Difference(("shardgroup", "shardgroup|help", "shardgroup|join", "shardgroup|leave", "shardgroup|move", "shardgroup|query"),
               "our own: golden.txt", unknown_to_redis),
    Difference(("command",), "we have other commands; those that both have are described alike", same_rows),
    Difference(("command|info",), "we have other subcommands; those that both have are described alike", same_infos),
    Difference(("command|list",), "we have other commands", known_names),
    Difference(("command|count",), "we have other commands", any_integer),
    Difference(("command|docs",), "the texts are our own, as the history of commands is Redis's", same_docs),
    Difference(("config|get",), "we have fewer settings, by name and so called, however the pattern was written", same_settings),
    Difference(("info",), "facts of another server; sections, their order and the names of fields are compared", same_info),
]


def explain(row, args, ours, theirs):
    """The difference that allows these replies, or None."""
    for difference in DIFFERENCES:
        if row in difference.rows and difference.agree(args, ours, theirs):
            return difference
    return None
