package database_test

import (
	"database/sql"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

func TestClassifyMariaDB(t *testing.T) {
	for name, dsn := range map[string]func(testing.TB) string{"plain": sqltest.MariaDB, "snapshot": sqltest.MariaDBSnapshot} {
		t.Run(name, func(t *testing.T) { classifyMariaDB(t, newOnServer(t, database.MariaDB, dsn(t))) })
	}
}

func classifyMariaDB(t *testing.T, s *onServer) {
	t.Helper()
	wide := make([]string, 40)
	for i := range wide {
		wide[i] = "c" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + " varchar(250) CHARACTER SET latin1"
	}
	must(t, s.db,
		"CREATE TABLE v (d datetime, j json, e enum ('a', 'b'), x longtext, g point, r int NOT NULL)",
		"CREATE TABLE p (id int PRIMARY KEY, k int, KEY (k))",
		"CREATE TABLE c (k int UNIQUE, FOREIGN KEY (k) REFERENCES p (k) ON UPDATE CASCADE)",
		"INSERT INTO p VALUES (1, 1), (2, 2)", "INSERT INTO c VALUES (1), (2)",
		"CREATE USER IF NOT EXISTS crowded@localhost WITH MAX_USER_CONNECTIONS 1", "GRANT ALL ON *.* TO crowded@localhost",
		"CREATE USER IF NOT EXISTS barred@localhost", "CREATE USER IF NOT EXISTS elsewho@localhost IDENTIFIED VIA unix_socket",
		"SET STATEMENT innodb_strict_mode = OFF FOR CREATE TABLE wide ("+strings.Join(wide, ", ")+") ROW_FORMAT = COMPACT")
	const own, waiting = "SELECT CONNECTION_ID()", "SELECT count(*) FROM information_schema.processlist WHERE id = %d AND state = 'Updating'"
	const large = "REPEAT('x', 2000000000)"
	cases := append(alike(s), []provoked{
		{"1366 of bytes", database.Invalid, s.exec("INSERT INTO t VALUES (3, x'ff', 1, NULL, NULL)")},
		{"1292 of a time", database.Invalid, s.exec("INSERT INTO v (d, r) VALUES ('2026-02-31T00:00:00+02:00', 1)")},
		{"1265 of an enum", database.Invalid, s.exec("INSERT INTO v (e, r) VALUES ('c', 1)")},
		{"1300 of bytes", database.Invalid, s.exec("SELECT _utf8mb4 x'ff'")},
		{"1301 of a result", database.Invalid, s.exec("INSERT INTO v (x, r) VALUES (" + large + ", 1)")},
		{"1365 division by zero", database.Invalid, s.exec("INSERT INTO v (r) VALUES (1 / 0)")},
		{"1367 of a number", database.Invalid, s.exec("SELECT 1e500")},
		{"1411 of a function", database.Invalid, s.exec("INSERT INTO v (d, r) VALUES (STR_TO_DATE('x', '%Y'), 1)")},
		{"1416 of a point", database.Invalid, s.exec("INSERT INTO v (g, r) VALUES ('x', 1)")},
		{"1441 of a date", database.Invalid, s.exec("INSERT INTO v (d, r) VALUES (DATE_ADD('9999-12-31', INTERVAL 1 DAY), 1)")},
		{"1690 of a number", database.Invalid, s.exec("SELECT 9223372036854775807 + 1")},
		{"1364 without a default", database.Invalid, s.exec("INSERT INTO v (d) VALUES (NULL)")},
		{"1263 of a file", database.Invalid, s.alone("SELECT NULL INTO OUTFILE 'null.txt'", "LOAD DATA INFILE 'null.txt' INTO TABLE v (r)")},
		{"1118 of a row", database.Invalid, s.exec("INSERT INTO wide VALUES (" + strings.TrimSuffix(strings.Repeat("REPEAT('x', 250), ", len(wide)), ", ") + ")")},
		{"4025 of JSON", database.Invalid, s.exec("INSERT INTO v (j, r) VALUES ('{', 1)")},
		{"the driver's refusal", database.Invalid, func() error {
			return exec(t, open(t, "mysql", s.dsn+"&maxAllowedPacket=1024"), "DO '"+strings.Repeat("x", 2048)+"'")()
		}},
		{"1761 by a foreign key", database.Waits, s.exec("UPDATE p SET k = 2 WHERE id = 1")},
		{"1644 an own error", database.Unknown, s.exec("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'connection refused'")},
		{"1213 deadlock", database.Conflict, crossed(t, s.db, "BEGIN", "UPDATE t SET u = u + 10 WHERE id = %d")},
		{"1205 locked", database.Conflict, s.beside([]string{"SELECT id FROM t WHERE id = 1 FOR UPDATE"}, "SELECT id FROM t WHERE id = 1 FOR UPDATE NOWAIT")},
		{"1020 since the snapshot", database.Conflict, s.overtaken([]string{"SET SESSION innodb_snapshot_isolation = ON", "START TRANSACTION WITH CONSISTENT SNAPSHOT"},
			"UPDATE t SET u = u + 10 WHERE id = 1", "UPDATE t SET u = u + 10 WHERE id = 1")},
		{"1412 altered", database.Conflict, s.overtaken([]string{"START TRANSACTION WITH CONSISTENT SNAPSHOT"}, "ALTER TABLE v MODIFY r bigint NOT NULL, ALGORITHM = COPY", "SELECT d FROM v")},
		{"1969 statement timeout", database.Conflict, s.exec("SET STATEMENT max_statement_time = 0.01 FOR SELECT SLEEP(10)")},
		{"1317 interrupted", database.Conflict, s.killed(own, waiting, "KILL QUERY %d")},
		{"1114 full", database.Unavailable, s.alone("SET max_heap_table_size = 16384", "CREATE TEMPORARY TABLE tiny (b varchar(1000)) ENGINE = MEMORY",
			"INSERT INTO tiny SELECT REPEAT('x', 1000) FROM seq_1_to_1000")},
		{"1792 read-only", database.Unavailable, s.alone("START TRANSACTION READ ONLY", "UPDATE t SET u = 1")},
		{"1226 too many connections", database.Unavailable, func() error {
			crowded := open(t, "mysql", strings.Replace(s.dsn, "root@", "crowded@", 1))
			connection(t, crowded)
			return exec(t, crowded, "DO 1")()
		}},
		{"1044 no access", database.Unavailable, s.connecting("root@", "barred@")},
		{"1045 a password", database.Unavailable, s.connecting("root@", "root:wrong@")},
		{"1049 no such database", database.Unavailable, s.connecting("/test", "/none")},
		{"1698 of a socket", database.Unavailable, s.connecting("root@", "elsewho@")},
		{"a connection that is killed", database.Unavailable, s.killed(own, waiting, "KILL CONNECTION %d")},
	}...)
	classify(t, cases)
	covered(t, database.MariaDB, cases,
		"1040", "1153", "1290", // by the test below
		"1927", "1021", "1026", "1030", "1037", "1041", "1135", "1203", "1129", "1130", "1047", "1053", "1077", "1079", "1080",
		"1152", "1158", "1159", "1160", "1161", "1184", "2002", "2003", "2006", "2013", "1836",
		"1615", "1637", "1689", "1613", "1614", "1022", "1169", "1586", "1859", "1216", "1217", "1762")
}

// as is a statement of another user's.
func (s *onServer) as(user, statement string) func() error {
	return func() error {
		return exec(s.T, open(s.T, s.driver, strings.Replace(s.dsn, "root@", user+"@", 1)), statement)()
	}
}

// A server's end, by each of its ways, while a statement is under way and right
// after it; one that has no connection left, one that only reads, and one that
// stands still.
func TestClassifyMariaDBThatEnds(t *testing.T) {
	server := sqltest.OwnMariaDB(t)
	db := open(t, "mysql", server.DSN())
	must(t, db, "SET GLOBAL max_connections = 10", "CREATE USER writer@localhost", "CREATE TABLE t (n int)", "GRANT INSERT ON t TO writer@localhost")
	s := &onServer{T: t, dialect: database.MariaDB, driver: "mysql", dsn: server.DSN(), db: db}
	classify(t, []provoked{
		{"1040 too many connections", database.Unavailable, func() error {
			crowd := open(t, "mysql", server.DSN())
			for {
				conn, err := crowd.Conn(t.Context())
				if err != nil {
					return errors.Join(err, crowd.Close())
				}
				defer conn.Close()
			}
		}},
		{"1290 read-only", database.Unavailable, func() error {
			must(t, db, "SET GLOBAL read_only = ON")
			defer must(t, db, "SET GLOBAL read_only = OFF")
			return s.as("writer", "INSERT INTO t VALUES (1)")()
		}},
		{"1153 of a packet", database.Invalid, func() error {
			must(t, db, "SET GLOBAL max_allowed_packet = 1024")
			defer must(t, db, "SET GLOBAL max_allowed_packet = 16777216")
			return exec(t, open(t, "mysql", server.DSN()+"&maxAllowedPacket=1000000"), "DO '"+strings.Repeat("x", 1<<16)+"'")()
		}},
		standsStill(t, server, func() *sql.DB { return db }),
	})
	const statement = "SELECT BENCHMARK(1000000000, MD5('x'))"
	classifyEnd(t, server, "mysql", statement, "shutdown", func() { server.Stop(syscall.SIGTERM) })
	server.Start()
	classifyEnd(t, server, "mysql", statement, "kill -9", func() { server.Stop(syscall.SIGKILL) })
}
