"""Conversations of one connection: bytes to send. The answer, and whether the server closes, must be Redis's.

A name, then what is sent; every case runs on a connection of its own.
"""

from resp import encode


def commands(*lines):
    """Words of each line as a command."""
    return b"".join(encode(line.encode().split(b" ")) for line in lines)


def bulk(size):
    return b"$%d\r\n%s\r\n" % (size, b"x" * size)


MAX_BULK = 16 << 20

CASES = {
    # --- Commands about the connection.
    "quit": commands("PING", "QUIT", "PING"),
    "quit in any case, with arguments": commands("qUiT now please", "PING"),
    "quit inline": b"PING\r\nQUIT\r\nPING\r\n",
    "quit after writes": commands("SET c:q 1", "INCR c:q", "GET c:q", "QUIT", "INCR c:q"),
    "reset": commands("HELLO 3 SETNAME a", "RESET", "CLIENT GETNAME", "GET c:none"),
    "reset takes no arguments": commands("RESET now"),
    "reset ends silence": commands("CLIENT REPLY OFF", "PING", "RESET", "PING"),
    "msetnx errors": commands("MSETNX", "MSETNX a", "MSETNX a 1 b", "MSETNX a 1 b 2 c"),
    "select": commands("SELECT 0", "SELECT 1", "SELECT -1", "SELECT x", "SELECT", "SELECT 0 0", "SELECT 99999999999999999999"),
    "echo and ping": commands("PING", "PING hello", "PING a b", "ECHO", "ECHO a", "ECHO a b"),
    "client reply off": commands("SET c:r 1", "CLIENT REPLY OFF", "PING", "INCR c:r", "GET", "BOGUS", "CLIENT REPLY ON",
                                 "GET c:r"),
    "client reply skip": commands("CLIENT REPLY SKIP", "PING one", "PING two", "GET c:none"),
    "client reply skip of a write": commands("CLIENT REPLY SKIP", "SET c:s 5", "GET c:s"),
    "client reply skip of an error": commands("CLIENT REPLY SKIP", "GET", "PING"),
    "client reply skip of an unknown command": commands("CLIENT REPLY SKIP", "BOGUS", "PING"),
    "client reply skip twice": commands("CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "PING one", "PING two"),
    "client reply skip, then on": commands("CLIENT REPLY SKIP", "CLIENT REPLY ON", "PING one", "PING two"),
    "client reply skip while off": commands("CLIENT REPLY OFF", "CLIENT REPLY SKIP", "PING one", "PING two", "CLIENT REPLY ON"),
    "client reply errors": commands("CLIENT REPLY", "CLIENT REPLY MAYBE", "CLIENT REPLY ON ON", "CLIENT REPLY ON"),
    "client reply off, bad mode": commands("CLIENT REPLY OFF", "CLIENT REPLY MAYBE", "CLIENT REPLY ON"),
    "client names": commands("CLIENT GETNAME", "CLIENT SETNAME a", "CLIENT GETNAME", "HELLO 3", "CLIENT SETNAME b",
                             "CLIENT GETNAME", "RESET", "CLIENT GETNAME"),
    "client name, taken back": commands("CLIENT SETNAME a") + encode([b"CLIENT", b"SETNAME", b""]) + commands("CLIENT GETNAME"),
    "client list and kill errors": commands("CLIENT LIST TYPE bogus", "CLIENT LIST ID x", "CLIENT LIST BOGUS", "CLIENT"),
    # --- HELLO.
    "hello": commands("HELLO"),
    "hello 3 and back": commands("HELLO 3", "GET c:none", "HELLO 2", "GET c:none", "HELLO", "HELLO 3", "HELLO"),
    "hello of no version": commands("HELLO 1", "HELLO 4", "HELLO 0", "HELLO -1", "HELLO x", "HELLO 3.0", "GET c:none"),
    "hello setname": commands("HELLO 3 SETNAME me", "CLIENT GETNAME", "HELLO 3 setname you", "CLIENT GETNAME"),
    "hello bad name": encode([b"HELLO", b"3", b"SETNAME", b"a b"]) + commands("CLIENT GETNAME", "GET c:none"),
    "hello auth": commands("HELLO 3 AUTH default any", "HELLO 2 AUTH nobody any", "HELLO 2 AUTH default", "GET c:none"),
    "hello auth and name": commands("HELLO 3 AUTH default x SETNAME n", "CLIENT GETNAME"),
    "hello name, then bad auth": commands("HELLO 3 SETNAME n AUTH nobody x", "CLIENT GETNAME", "GET c:none"),
    "hello bad options": commands("HELLO 3 BOGUS", "HELLO 3 SETNAME", "HELLO 3 AUTH", "HELLO BOGUS 3"),
    "auth without a password": commands("AUTH x", "AUTH default x", "AUTH nobody x", "AUTH", "AUTH a b c"),
    # --- What is unknown.
    "unknown commands": commands("BOGUS", "bogus a b c", "GETT k", "SUBSCRIBEX a", "|", "get|x"),
    "unknown with long arguments": encode([b"x" * 300, b"y" * 300]) + encode([b"BOGUS", b"a" * 100, b"b" * 100, b"c"]),
    "unknown with odd bytes": encode([b"bo\r\ngus", b"\x00\xff"]) + encode([b"", b""]) + encode([b"\x00"]),
    "unknown subcommands": commands("CLIENT BOGUS", "CONFIG BOGUS x", "COMMAND BOGUS", "CLIENT BOGUS a b"),
    "arity of subcommands": commands("CLIENT ID x", "CONFIG GET", "CONFIG SET a", "COMMAND GETKEYS", "COMMAND COUNT x"),
    # --- Inline commands and odd framing.
    "inline": b"PING\r\nping hello\r\n  PING   spaced  \r\nPING\n\r\n\n \r\nECHO \"a\\x00\\n\\\"b\"\r\nECHO 'it\\'s'\r\nSET c:i 'a b'\r\nGET c:i\r\n",
    "inline, unbalanced quotes": b'PING\r\nECHO "abc\r\nPING\r\n',
    "inline, text behind a quote": b'ECHO "a"b\r\nPING\r\n',
    "inline, single quotes unbalanced": b"ECHO 'abc\r\nPING\r\n",
    "inline and framed": b"PING\r\n" + commands("PING a") + b"PING b\r\n" + commands("PING c"),
    "inline, long with its end": b"PING " + b"x" * 60_000 + b"\r\n",
    "empty frames": b"*0\r\n*-1\r\n\r\n*-5\r\n" + commands("PING"),
    "odd integers in frames": b"*+1\r\n$4\r\nPING\r\n",
    "leading zero in a frame": b"*01\r\n$4\r\nPING\r\n",
    "leading zero in a length": b"*1\r\n$04\r\nPING\r\n",
    "no number of arguments": b"PING\r\n*x\r\nPING\r\n",
    "empty number of arguments": b"*\r\nPING\r\n",
    "too many arguments": b"*2147483648\r\n",
    "far too many arguments": b"*99999999999999999999\r\n",
    "no dollar": b"*1\r\nPING\r\n",
    "no dollar but a letter": b"*2\r\n$3\r\nGET\r\nxyz\r\n",
    "no length": b"*1\r\n$x\r\n",
    "empty length": b"*1\r\n$\r\n",
    "negative length": b"*1\r\n$-1\r\n",
    "length with a space": b"*1\r\n$4 \r\nPING\r\n",
    "an argument that is too long": b"*2\r\n$4\r\nECHO\r\n$%d\r\n" % (MAX_BULK + 1),
    "a length that overflows": b"*2\r\n$4\r\nECHO\r\n$99999999999999999999\r\n",
    "the longest argument": b"*2\r\n$4\r\nECHO\r\n" + bulk(MAX_BULK),
    "protocol error after commands": commands("SET c:p 1", "GET c:p") + b"*1\r\n!\r\n" + commands("PING"),
    "http": b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n",
    "http post": b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "http host": b"Host: localhost\r\nPING\r\n",
    # --- Much at once.
    "many keys": encode([b"DEL"] + [b"c:m%d" % i for i in range(50_000)]),
    "many values": encode([b"MSET"] + [b"c:v%d" % (i // 2) for i in range(20_000)])
                   + encode([b"MGET"] + [b"c:v%d" % i for i in range(10_001)])
                   + encode([b"UNLINK"] + [b"c:v%d" % i for i in range(10_001)]),
    "many arguments for one": encode([b"GET"] + [b"k"] * 100_000) + encode([b"SET"] + [b"k"] * 1000) + commands("PING"),
    "many arguments for nothing": encode([b"BOGUS"] + [b"k"] * 100_000),
    "a key of 100 kB": encode([b"SET", b"c:" + b"k" * 100_000, b"v"]) + encode([b"GET", b"c:" + b"k" * 100_000])
                       + encode([b"DEL", b"c:" + b"k" * 100_000]),
}

# Nothing follows these: the line never ends.
UNENDED_CASES = {
    "inline, too long": b"PING " + b"x" * 70_000,
    "a line without end for the count": b"*" + b"1" * 70_000,
    "a line without end for the length": b"*1\r\n$" + b"1" * 70_000,
}

# With passwords "one" and "two" of the default user.
PASSWORD_CASES = {
    "nothing without": commands("PING", "GET k", "SET k v", "ECHO x", "CLIENT ID", "COMMAND COUNT", "SELECT 0", "TIME"),
    "unknown commands are known to be": commands("BOGUS", "GET", "CLIENT BOGUS"),
    "first password": commands("AUTH one", "PING"),
    "second password": commands("AUTH two", "PING"),
    "with the user": commands("AUTH default two", "PING"),
    "wrong password": commands("AUTH three", "PING", "AUTH default three", "AUTH nobody one", "AUTH one", "PING"),
    "auth errors": commands("AUTH", "AUTH a b c", "PING"),
    "wrong password after the right one": commands("AUTH one", "AUTH three", "PING"),
    "hello": commands("HELLO", "HELLO 3", "HELLO 2", "HELLO 4", "PING"),
    "hello auth": commands("HELLO 3 AUTH default one", "GET c:none"),
    "hello wrong auth": commands("HELLO 3 AUTH default three", "HELLO 3 AUTH nobody one", "PING"),
    "hello name without auth": commands("HELLO 3 SETNAME n", "AUTH one", "CLIENT GETNAME"),
    "quit": commands("QUIT"),
    "reset": commands("AUTH one", "PING", "RESET", "PING"),
    "reset without": commands("RESET", "PING"),
    "no reply asked before auth": commands("CLIENT REPLY OFF", "PING", "AUTH one", "PING"),
    "a large request before auth": b"*20\r\n",
    "a large argument before auth": b"*1\r\n$20000\r\n",
}
