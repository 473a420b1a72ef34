"""Random commands of every row of the command table, mostly sensible, sometimes not.

ROWS has a line per row, by its full name: a weight and what makes the arguments behind the name. Times lie at least
100 s apart from one another, so that a clock some seconds off decides nothing.
"""

import itertools

MAX_VALUE = 16 << 20  # bytes, of both servers
NEWER = ("client|no-touch", "client|setinfo", "shardgroup")  # rows that Redis 7.0 does not have


class Generator:
    """Commands are lists of bytes. Deterministic: `random` is a seeded random.Random."""

    def __init__(self, random, names):
        self.random = random
        self.names = names  # of the command table, for COMMAND's subcommands
        self.rows = list(ROWS)
        self.weights = list(itertools.accumulate(ROWS[row].weight for row in self.rows))
        self.steps = 0

    def next(self):
        row = self.random.choices(self.rows, cum_weights=self.weights)[0]
        return self.make(row)

    def make(self, row):
        """The row's name, and a command of it."""
        form = ROWS[row]
        args = [self.any_case(word) for word in row.encode().split(b"|")]
        for maker in form.makers:
            args += maker(self)
        if form.may_spoil:
            self.spoil(args, 1 + row.count("|"))
        return row, args

    def spoil(self, args, first):
        """Now and then a wrong number of arguments, or something odd among them; not the row's name."""
        if self.one_in(40) and len(args) > first:
            args.pop()
        if self.one_in(60):
            args.append(self.odd())
        if self.one_in(50) and len(args) > first:
            args[self.random.randrange(first, len(args))] = self.odd()

    def one_in(self, n):
        return self.random.randrange(n) == 0

    def pick(self, *choices):
        return self.random.choice(choices)

    def any_case(self, word):
        style = self.random.randrange(4)
        if style == 0:
            return word.upper()
        if style == 1:
            return bytes(self.random.choice((c, c ^ 32)) if chr(c).isalpha() else c for c in word)
        return word

    def odd(self):
        return self.pick(b"", b" ", b"x", b"1 ", b" 1", b"+1", b"01", b"-0", b"1.5", b"1e3", b"0x10", b"nan",
                         b"9223372036854775808", b"\x00", b"\xff\xfe\r\n", b"nx", b"GET", b"ex", b"*", b"a" * 300)

    # --- Keys and values.

    def key(self):
        if self.one_in(12):
            return [self.pick(b"", b"\x00", b"k\r\n", b"{}", b"{}{a}", b"{a", b"\xff\xf0key", b"key with spaces", b"k" * 2000)]
        if self.one_in(3):
            return [b"{t}%d" % self.random.randrange(6)]
        return [b"k%d" % self.random.randrange(12)]

    def tagged_key(self):
        return [b"{t}%d" % self.random.randrange(6)]

    def keys(self):
        count = self.pick(1, 1, 2, 3, 5, 20) if not self.one_in(100) else 1500
        return [self.key()[0] for _ in range(count)]

    def value(self):
        kind = self.random.randrange(8)
        if kind < 3:
            return [b"%d" % self.random.randrange(-1000, 1000)]
        if kind == 3:
            return self.integer()
        if kind == 4:
            return self.float()
        if kind == 5:
            return [self.random.randbytes(self.random.randrange(100))]
        if kind == 6 and self.one_in(10):
            return [self.random.randbytes(self.pick(43, 44, 45, 1000, 70_000))]
        return [self.pick(b"", b"hello", b"\x00\x01", b"a\r\nb", b"$5\r\n", b"-1", b"3.0", b" 7")]

    def key_values(self):
        pairs = [self.key() + self.value() for _ in range(self.pick(1, 2, 3, 8))]
        return list(itertools.chain.from_iterable(pairs))

    def tagged_key_values(self):
        pairs = [self.tagged_key() + self.value() for _ in range(self.pick(1, 2, 3, 8))]
        return list(itertools.chain.from_iterable(pairs))

    # --- Numbers.

    def integer(self):
        if self.one_in(4):
            return [self.pick(b"9223372036854775807", b"-9223372036854775808", b"-9223372036854775807", b"0", b"-1",
                              b"9223372036854775808", b"4611686018427387904", b"2147483648")]
        return [b"%d" % self.random.randrange(-1000, 1000)]

    def position(self):
        if self.one_in(20):
            return [self.pick(b"%d" % MAX_VALUE, b"2147483648", b"4294967296", b"9223372036854775807",
                              b"-9223372036854775808", b"4096", b"-2147483649")]
        return [b"%d" % self.random.randrange(-20, 40)]

    def float(self):
        if self.one_in(3):
            return [self.pick(b"3.0", b"-0.0", b"1e3", b"1e-7", b".5", b"5.", b"0x1p3", b"inf", b"nan", b"1e4931", b"1e17",
                              b"1e-5000", b"123456789012345678.25", b"-inf", b"1e4932", b"Infinity", b"5.0e3", b"+5")]
        return [b"%.5f" % self.random.uniform(-1000, 1000)]

    # --- Times.

    def relative_seconds(self):
        self.steps = (self.steps + 7919) % 100_003  # a prime step: all differ for a long time
        return 100_000 + self.steps * 100

    def seconds(self):
        if self.one_in(6):
            return [self.pick(b"0", b"-1", b"9223372036854775", b"9223372036854776", b"-9223372036854775808",
                              b"9223372036854775807")]
        return [b"%d" % self.relative_seconds()]

    def millis(self):
        if self.one_in(6):
            return [self.pick(b"0", b"-1", b"9223372036854775807", b"-9223372036854775808")]
        return [b"%d" % (self.relative_seconds() * 1000)]

    def seconds_at(self):
        if self.one_in(6):
            return [self.pick(b"0", b"-1", b"1", b"1000000000", b"9223372036854775", b"9223372036854776",
                              b"-9223372036854775808")]
        return [b"%d" % (4_000_000_000 + self.random.randrange(1000))]

    def millis_at(self):
        if self.one_in(6):
            return [self.pick(b"0", b"-1", b"1", b"1000000000000", b"9223372036854775807", b"-9223372036854775808")]
        return [b"%d" % (4_000_000_000_000 + self.random.randrange(100_000))]

    def time_option(self):
        name, maker = self.pick((b"ex", self.seconds), (b"px", self.millis), (b"exat", self.seconds_at),
                                (b"pxat", self.millis_at))
        return [self.any_case(name)] + maker()

    def some(self, words, longest):
        count = self.random.randrange(longest + 1)
        return [self.any_case(self.pick(*words)) for _ in range(count)]

    def set_options(self):
        if self.one_in(3):
            return []
        options = self.some((b"nx", b"xx", b"get", b"keepttl", b"persist"), 2)
        return options + self.time_option() if self.one_in(2) else options

    def getex_options(self):
        if self.one_in(4):
            return []
        options = self.time_option() if self.one_in(2) else []
        return options + self.some((b"persist", b"persist", b"keepttl", b"nx"), 1)

    def expire_flags(self):
        return self.some((b"nx", b"xx", b"gt", b"lt"), 3)

    def flush_mode(self):
        return self.some((b"async", b"sync", b"now"), 1)

    def pattern(self):
        return [self.pick(b"*", b"k*", b"k?", b"k[1-3]", b"k[^1]", b"{t}*", b"{t}1", b"k1", b"\\k1", b"k[", b"", b"*1*",
                          b"k\\", b"k[3-1]", b"{t*", b"?{*", b"[{]t}[0-9]", b"nothing*", b"\xff*", b"*\x00*")]

    def scan_args(self):
        args = [self.odd() if self.one_in(10) else b"0"]
        while self.one_in(2):
            args += self.pick(lambda: [self.any_case(b"match")] + self.pattern(),
                              lambda: [self.any_case(b"type"), self.pick(b"string", b"STRING", b"hash", b"bogus")],
                              lambda: [self.any_case(b"count")] + self.integer(),
                              lambda: [self.any_case(b"count"), b"100000"])()
        return args

    # --- Connections and the server.

    def hello_args(self):
        if self.one_in(8):
            return []
        args = [self.pick(b"2", b"3", b"3", b"1", b"4", b"x", b"", b"99999999999999999999")]
        while self.one_in(3):
            args += self.pick([self.any_case(b"auth"), b"default", b"any"], [self.any_case(b"auth"), b"nobody", b"x"],
                              [self.any_case(b"setname")] + self.client_name(), [b"auth"], [b"setname"], [b"bogus", b"1"])
        return args

    def auth_args(self):
        return self.pick([b"secret"], [b""], [b"default", b"x"], [b"nobody", b"x"], [b"a", b"b", b"c"], [b"\x00", b"\xff"])

    def client_name(self):
        return [self.pick(b"name", b"", b"with space", b"a\nb", b"\x7f", b"!~", b"n" * 100, b"\x80")]

    def client_list_args(self):
        return self.pick([], [], [b"type", b"normal"], [b"TYPE", b"master"], [b"type", b"replica"], [b"type", b"slave"],
                         [b"type", b"pubsub"], [b"type", b"bogus"], [b"type"], [b"id"], [b"ID", b"999999999"],
                         [b"id", b"999999999", b"999999998"], [b"id", b"x"], [b"id", b"0"], [b"id", b"-1"], [b"bogus"],
                         [b"type", b"normal", b"id", b"1"], [b"bogus", b"normal"])

    def switch(self):
        return [self.any_case(self.pick(b"on", b"off", b"on", b"off", b"maybe", b""))]

    def row_names(self):
        return [self.random.choice(self.names) for _ in range(self.pick(1, 1, 2, 5))]

    def row_names_or_odd(self):
        return self.row_names() + self.some((b"bogus", b"", b"client|", b"|get", b"client|bogus", b"get|x"), 1)

    def list_filter(self):
        return self.pick([], [b"filterby", b"module", b"x"], [b"FILTERBY", b"aclcat", b"string"],
                         [b"filterby", b"ACLCAT", b"bogus"], [b"filterby", b"pattern", b"*get*"], [b"filterby", b"x", b"y"],
                         [b"filterby", b"pattern"], [b"bogus"], [b"filterby", b"Pattern", b"GET"])

    def whole_command(self):
        rows = [name for name in ROWS if ROWS[name].may_spoil and not name.startswith(NEWER)]
        return self.make(self.random.choice(rows))[1]

    def config_names(self):
        names = (b"maxclients", b"databases", b"save", b"appendfsync", b"maxmemory", b"maxmemory-policy", b"timeout",
                 b"proto-max-bulk-len", b"MAXCLIENTS", b"max*", b"bogus", b"", b"data[b]ases", b"*-max-bulk-le?")
        return [self.pick(*names) for _ in range(self.pick(1, 1, 2, 3))]

    def config_changes(self):
        changes = ([b"maxclients", b"10000"], [b"bogus", b"1"], [b"databases", b"3"],
                   [b"MaxClients", b"x"], [b"maxclients", b"0"], [b"maxclients", b"-1"], [b"maxclients"], [b"maxclients", b""])
        return list(itertools.chain.from_iterable(self.pick(*changes) for _ in range(self.pick(1, 1, 2))))

    def info_sections(self):
        return self.some((b"server", b"clients", b"memory", b"stats", b"replication", b"cpu", b"bogus", b"all", b"default",
                          b"everything", b"cluster", b"persistence", b"keyspace", b"commandstats", b"errorstats"), 3)

    def database(self):
        return [self.pick(b"0", b"0", b"0", b"1", b"-1", b"16", b"x", b"", b"2147483648", b"9223372036854775808", b"00",
                          b"-2147483649")]

    def wait_args(self):
        # Never timeout 0 with a replica to wait for: Redis would wait for ever.
        return self.pick([b"0", b"0"], [b"0", b"10"], [b"x", b"10"], [b"0", b"x"], [b"0", b"-1"], [b"-1", b"10"],
                         [b"-1", b"0"], [b"0", b""], [b"0", b"9223372036854775808"], [b"0"], [b"0", b"0", b"0"])

    def bogus(self):
        return self.pick([], [b"bogus"], [b"bogus", b"a", b"b"], [b""], [b"\r\n"], [b"bogus" * 50, b"x" * 200, b"y"])

    def maybe_value(self):
        return self.value() if self.one_in(2) else []


class Form:
    """`weight`: how often; `makers` add arguments; `may_spoil`: arguments may be dropped, added or replaced."""

    def __init__(self, weight, *makers, may_spoil=True):
        self.weight = weight
        self.makers = makers
        self.may_spoil = may_spoil


def fixed(weight, *makers):
    return Form(weight, *makers, may_spoil=False)


G = Generator
ROWS = {
    "append": Form(3, G.key, G.value),
    "auth": Form(1, G.auth_args),
    "client": fixed(1, G.bogus),
    "client|getname": Form(2),
    "client|help": Form(1),
    "client|id": Form(1),
    "client|info": Form(1),
    "client|list": Form(1, G.client_list_args),
    "client|no-evict": Form(1, G.switch),
    "client|no-touch": Form(1, G.switch),
    "client|reply": fixed(1, lambda g: [g.any_case(g.pick(b"on", b"on", b"maybe"))]),  # OFF and SKIP: connection_test.py
    "client|setinfo": Form(1, lambda g: [g.any_case(g.pick(b"lib-name", b"lib-ver", b"lib"))], G.client_name),
    "client|setname": Form(2, G.client_name),
    "command": fixed(1, G.bogus),
    "command|count": Form(1),
    "command|docs": Form(1, G.row_names_or_odd),
    "command|getkeys": fixed(5, G.whole_command),
    "command|getkeysandflags": fixed(5, G.whole_command),
    "command|help": Form(1),
    "command|info": Form(2, G.row_names_or_odd),
    "command|list": Form(1, G.list_filter),
    "config": fixed(1, G.bogus),
    "config|get": fixed(2, G.config_names),
    "config|help": Form(1),
    "config|resetstat": Form(1),
    "config|set": fixed(2, G.config_changes),
    "dbsize": Form(2),
    "decr": Form(3, G.key),
    "decrby": Form(4, G.key, G.integer),
    "del": Form(3, G.keys),
    "echo": Form(1, G.value),
    "exists": Form(3, G.keys),
    "expire": Form(5, G.key, G.seconds, G.expire_flags),
    "expireat": Form(5, G.key, G.seconds_at, G.expire_flags),
    "expiretime": Form(4, G.key),
    "flushall": Form(1, G.flush_mode),
    "flushdb": Form(1, G.flush_mode),
    "get": Form(6, G.key),
    "getdel": Form(3, G.key),
    "getex": Form(5, G.key, G.getex_options),
    "getrange": Form(4, G.key, G.position, G.position),
    "getset": Form(3, G.key, G.value),
    "hello": Form(2, G.hello_args),
    "incr": Form(3, G.key),
    "incrby": Form(4, G.key, G.integer),
    "incrbyfloat": Form(5, G.key, G.float),
    "info": Form(1, G.info_sections),
    "keys": Form(2, G.pattern),
    "mget": Form(3, G.keys),
    "mset": Form(3, G.key_values),
    "msetnx": fixed(3, G.tagged_key_values),  # over several slots ours refuses: the two would drift apart
    "persist": Form(3, G.key),
    "pexpire": Form(5, G.key, G.millis, G.expire_flags),
    "pexpireat": Form(5, G.key, G.millis_at, G.expire_flags),
    "pexpiretime": Form(4, G.key),
    "ping": Form(1, G.maybe_value),
    "psetex": Form(3, G.key, G.millis, G.value),
    "pttl": Form(4, G.key),
    "quit": fixed(1, G.maybe_value),
    "randomkey": Form(1),
    "reset": Form(1),
    "role": Form(1),
    "scan": Form(3, G.scan_args),
    "select": Form(1, G.database),
    "set": Form(12, G.key, G.value, G.set_options),
    "setex": Form(3, G.key, G.seconds, G.value),
    "setnx": Form(3, G.key, G.value),
    "setrange": Form(4, G.key, G.position, G.value),
    "shardgroup": fixed(1, G.bogus),
    "shardgroup|help": Form(1),
    "shardgroup|join": fixed(1, lambda g: [b"x", b"127.0.0.1:1"]),
    "shardgroup|leave": fixed(1, lambda g: [b"x"]),
    "shardgroup|move": fixed(1, lambda g: [b"x", b"0"]),
    "shardgroup|query": Form(1),
    "strlen": Form(3, G.key),
    "substr": Form(3, G.key, G.position, G.position),
    "time": Form(1),
    "touch": Form(2, G.keys),
    "ttl": Form(4, G.key),
    "type": Form(2, G.key),
    "unlink": Form(2, G.keys),
    "wait": fixed(1, G.wait_args),
}
