package database

import (
	"strconv"
	"strings"
)

// The tests provoke each row of these tables on a real server. Where a row says "not
// provoked", nothing here brings the error about, for the reason that follows: its
// class is then by the servers' documentation and source.

// postgresStates are the classes of PostgreSQL's SQLSTATEs that differ from those
// of their first two characters.
var postgresStates = map[string]Class{ //nolint:gochecknoglobals // a table
	"23502": Invalid,     // not null
	"23514": Invalid,     // check
	"25006": Unavailable, // read-only transaction: a fail-over left this connection at a standby
	"25P03": Conflict,    // idle in a transaction for too long: the process stood still; not provoked each time: the driver may find the connection closed
	"25P04": Conflict,    // transaction timeout; not provoked before PostgreSQL 17, which has it first
	"26000": Conflict,    // no such prepared statement: a pooler gave the transaction to another connection
	"40002": Waits,       // integrity constraint at commit; not provoked: deferred constraints end with 23503 and 23505
	"42P05": Conflict,    // duplicate prepared statement: a pooler gave the transaction another's connection
	"3D000": Unavailable, // no such database
	"55006": Conflict,    // object in use
	"55P03": Conflict,    // lock timeout
	"57014": Conflict,    // statement timeout, or cancelled
	"72000": Conflict,    // snapshot too old; not provoked: it takes a minute, and PostgreSQL 17 has it no more
}

// postgresClasses are the classes of all other SQLSTATEs, by their first two
// characters.
var postgresClasses = map[string]Class{ //nolint:gochecknoglobals // a table
	"08": Unavailable, // connection
	"22": Invalid,     // data: too long, out of range, of another type, a NUL byte
	"23": Waits,       // foreign key, unique, exclusion
	"28": Unavailable, // authorization: a password that was changed
	"40": Conflict,    // serialization, deadlock
	"44": Invalid,     // a view's check
	"53": Unavailable, // resources: connections, disk, memory
	"54": Invalid,     // limits: a value larger than an index takes
	"57": Unavailable, // operator: shutdown, start, crash
	"58": Unavailable, // system: I/O
}

func classOfState(state string) Class {
	if class, ok := postgresStates[state]; ok {
		return class
	}
	if len(state) != 5 {
		return Unknown
	}
	return postgresClasses[state[:2]]
}

// mariadbNumbers are the classes of MariaDB's errors.
var mariadbNumbers = byClass(map[Class][]int{ //nolint:gochecknoglobals // a table
	Unavailable: {
		1021, 1026, 1030, // disk full, and what storage engines say of it; not provoked: they need a broken disk
		1114,             // a table that is full
		1037, 1041, 1135, // memory, threads; not provoked: the machine would be out of them
		1040, 1226, // too many connections, of all and of this user
		1203,                   // too many of this user by the server's setting; not provoked: that is read at its start
		1044, 1045, 1049, 1698, // no access: a password or a database that was changed
		1129, 1130, // the same for a host; not provoked: tests connect by a socket
		1047,                   // a node of a cluster that takes no statements now; not provoked: no Galera
		1053, 1077, 1079, 1080, // shutdown; not provoked by number: most often the connection ends first
		1927, // the connection was killed; not provoked: the driver finds it closed
		// The connection, as libraries and servers write it down; not provoked: the driver has errors of its own.
		1152, 1158, 1159, 1160, 1161, 1184, 2002, 2003, 2006, 2013,
		1290, 1792, // read-only: a fail-over left this connection at a replica
		1836, // the same of the storage engine; not provoked: it is set at the server's start
	},
	Conflict: {
		1020,       // the row has changed since the snapshot
		1205,       // lock wait timeout
		1213,       // deadlock
		1317, 1969, // interrupted; statement timeout
		1412,       // the table was changed meanwhile
		1615,       // the same of a prepared statement; not provoked: the server prepares again by itself
		1637,       // too many transactions; not provoked: it takes a hundred thousand
		1689,       // lock given up; not provoked: NOWAIT and others end with 1205
		1613, 1614, // lock wait timeout and deadlock, within XA; not provoked: MariaDB says 1205 and 1213, then 1399
	},
	Waits: {
		1062, 1761, // unique, of the row itself and of one that a foreign key changes
		1022, 1169, 1586, 1859, // unique; not provoked: of other storage engines, and of tables that are altered
		1451, 1452, // foreign key
		1216, 1217, 1762, // the same and unique, without details; not provoked: MariaDB gives them, in 1451, 1452 and 1761
	},
	Invalid: {
		1048, 1263, 1364, // not null
		1118, 1301, // larger than a row or a result may be
		1153,       // larger than a packet may be
		1264, 1690, // out of range
		1265, 1292, 1300, 1366, 1367, 1411, 1416, 1441, // of another type
		1365, // division by zero
		1406, // too long
		4025, // check; a JSON column has one
	},
})

func byClass(lists map[Class][]int) map[int]Class {
	table := make(map[int]Class)
	for class, numbers := range lists {
		for _, n := range numbers {
			table[n] = class
		}
	}
	return table
}

func classOfNumber(number int) Class { return mariadbNumbers[number] }

// sqliteGeneric is SQLite's code of errors that only their words tell apart.
const sqliteGeneric = 1

// sqliteExtended are the classes of SQLite's extended codes that differ from those
// of their primary ones.
var sqliteExtended = map[int]Class{ //nolint:gochecknoglobals // a table
	19 | 1<<8:  Invalid, // check
	19 | 5<<8:  Invalid, // not null
	19 | 7<<8:  Unknown, // a trigger's own refusal
	19 | 12<<8: Invalid, // the type, in a strict table
}

// sqliteCodes are the classes of SQLite's primary codes.
var sqliteCodes = map[int]Class{ //nolint:gochecknoglobals // a table
	3:  Unavailable, // no permission for the file; not provoked: tests may run as root, whom nothing is forbidden
	4:  Conflict,    // aborted; not provoked: only callbacks of C abort
	5:  Conflict,    // busy
	6:  Conflict,    // locked
	7:  Unavailable, // memory; not provoked: its limit is the whole process's
	8:  Unavailable, // read-only
	9:  Conflict,    // interrupted; not provoked: modernc.org/sqlite says how the caller's context ended
	10: Unavailable, // I/O; not provoked: it needs a broken disk
	11: Unavailable, // damaged
	13: Unavailable, // disk full
	14: Unavailable, // the file cannot be opened
	15: Conflict,    // the locking protocol; not provoked: it takes a race of processes
	17: Conflict,    // the schema was changed meanwhile; not provoked: SQLite prepares again by itself
	18: Invalid,     // too big
	19: Waits,       // foreign key, unique
	20: Invalid,     // type
	22: Unavailable, // a file larger than the file system takes; not provoked: that is terabytes
	26: Unavailable, // no database any more
}

func classOfCode(code int) Class {
	if class, ok := sqliteExtended[code]; ok {
		return class
	}
	return sqliteCodes[code&0xff]
}

// words are what errors say that carry no code, or had it and were wrapped
// without %w. The first that occurs gives the class.
var words = []struct { //nolint:gochecknoglobals // a table
	words string
	class Class
}{
	{"database is locked", Conflict},
	{"database table is locked", Conflict},
	{"failed to encode args[", Invalid}, // pgx: a value that the parameter's type cannot hold
	{"packet for query is too large", Invalid},
	{"malformed JSON", Invalid},   // SQLite
	{"integer overflow", Invalid}, // the same
	{"connection refused", Unavailable},
	{"connection reset by peer", Unavailable},
	{"broken pipe", Unavailable},
	{"no route to host", Unavailable},
	{"network is unreachable", Unavailable},
	{"no such host", Unavailable},
	{"i/o timeout", Unavailable},
	{"use of closed network connection", Unavailable},
	{"driver: bad connection", Unavailable},
	{"sql: connection is already closed", Unavailable},
	{"invalid connection", Unavailable},           // go-sql-driver/mysql
	{"commands out of sync", Unavailable},         // the same
	{"busy buffer", Unavailable},                  // the same
	{"conn closed", Unavailable},                  // pgx
	{"closed pool", Unavailable},                  // pgxpool
	{"failed to receive message", Unavailable},    // pgx
	{"server closed the connection", Unavailable}, // libpq
	{"the database system is ", Unavailable},      // PostgreSQL: starting up, shutting down, in recovery
	{"too many clients already", Unavailable},     // PostgreSQL
	{"unable to open database file", Unavailable}, // SQLite
	{"context deadline exceeded", Unavailable},
}

// classOfText is the class by the words of an error.
func classOfText(text string) Class {
	if _, after, ok := strings.Cut(text, "SQLSTATE "); ok && len(after) >= 5 { // as pgx prints it
		if class := classOfState(after[:5]); class != Unknown {
			return class
		}
	}
	if _, after, ok := strings.Cut(text, "Error "); ok && len(after) >= 4 { // as go-sql-driver/mysql prints it
		if number, err := strconv.Atoi(after[:4]); err == nil {
			if class := classOfNumber(number); class != Unknown {
				return class
			}
		}
	}
	for _, w := range words {
		if strings.Contains(text, w.words) {
			return w.class
		}
	}
	return Unknown
}
