package row_test

// typeCase is a type of PostgreSQL, with values in its syntax, and the types of the
// columns that get the values on MariaDB and SQLite.
type typeCase struct {
	column          string
	values          []string
	mariadb, sqlite string
	like            likeness
}

// setup makes the types of the cases that are a user's own.
func setup() []string {
	return []string{
		"CREATE EXTENSION IF NOT EXISTS hstore SCHEMA pg_catalog",
		"CREATE EXTENSION IF NOT EXISTS citext",
		"CREATE TYPE mood AS ENUM ('sad', 'it''s \"ok\"')",
		"CREATE DOMAIN amount AS numeric(10,2) CHECK (VALUE > 0)",
		"CREATE DOMAIN price AS amount",
		"CREATE DOMAIN tags AS text[]",
		"CREATE TYPE address AS (street text, zip int)",
	}
}

func typeCases() []typeCase {
	return append(scalarCases(), otherCases()...)
}

func scalarCases() []typeCase {
	return []typeCase{
		{"boolean", []string{"true", "false", "NULL"}, "boolean", "boolean", likeBool},
		{"smallint", []string{"-32768", "32767"}, "smallint", "INTEGER", likeNumber},
		{"integer", []string{"0", "-2147483648"}, "int", "INTEGER", likeNumber},
		{"bigint", []string{"9007199254740993", "-9223372036854775808"}, "bigint", "INTEGER", likeNumber},
		{"oid", []string{"4294967295"}, "bigint", "INTEGER", likeNumber},
		{"numeric", []string{"1.10", "-0.000000000000000000001", "12345678901234567890123456789012345678.90", "1e20", "'NaN'", "'Infinity'", "'-Infinity'"}, "decimal(65,21)", "TEXT", likeNumber},
		{"numeric(10,2)", []string{"1.1", "99999999.99"}, "decimal(10,2)", "NUMERIC", likeNumber},
		{"real", []string{"0.1", "1e20", "16777217", "1.17549435e-38", "'-0'", "'NaN'", "'-Infinity'"}, "float", "REAL", likeFloat32},
		{"double precision", []string{"0.1", "0.30000000000000004", "5e-324", "1.7976931348623157e308", "'-0'", "'NaN'", "'Infinity'"}, "double", "REAL", likeFloat},
		{"text", []string{`''`, `' a '`, `E'quote " backslash \\ tab \t line\nend'`, `'Łódź € 😀'`, `E'\u0001\u007f\u2028'`, `'null'`, `'[1]'`}, "longtext", "TEXT", likeText},
		{"varchar(10)", []string{`'a  '`, `'😀'`}, "varchar(10)", "TEXT", likeText},
		{"char(5)", []string{`'ab'`, `''`, `' a'`}, "varchar(5)", "TEXT", likePadded},
		{`"char"`, []string{`'x'`}, "varchar(5)", "TEXT", likeText},
		{"name", []string{`'n'`}, "varchar(64)", "TEXT", likeText},
		{"citext", []string{`'Ada'`}, "varchar(64)", "TEXT", likeText},
		{"bytea", []string{`''`, `'\x00ff10'`, `'\\x'`}, "longblob", "BLOB", likeBytes},
		{"uuid", []string{`'F47AC10B-58CC-4372-A567-0E02B2C3D479'`}, "uuid", "TEXT", likeText},
		{"date", []string{`'2024-02-29'`, `'0001-01-01'`, `'0044-03-15 BC'`, `'10000-01-01'`, `'infinity'`, `'-infinity'`}, "date", "TEXT", likeText},
		{"time", []string{`'12:30:45'`, `'00:00:00.000001'`, `'24:00:00'`}, "time(6)", "TEXT", likeClock},
		{"time with time zone", []string{`'12:30:45.5+01'`, `'12:30:45-05:30'`, `'12:30:45+00'`, `'12:00:00+01:02:03'`}, "varchar(20)", "TEXT", likeText},
		{"timestamp", []string{`'2024-03-31 02:30:00'`, `'2024-01-02 03:04:05.123456'`, `'0044-03-15 00:00:00 BC'`, `'10000-01-01 00:00:00'`, `'infinity'`}, "datetime(6)", "TEXT", likeMoment},
		{"timestamp with time zone", []string{`'2024-01-02 03:04:05+05:30'`, `'2024-10-27 02:30:00 Europe/Berlin'`, `'1900-01-01 00:00:00.000001 Europe/Amsterdam'`, `'0044-03-15 00:00:00+00 BC'`, `'12345-01-01 00:00:00+00'`, `'-infinity'`}, "datetime(6)", "TEXT", likeMoment},
		{"interval", []string{`'1 year 2 mons -3 days 04:05:06.789'`, `'-1 second'`, `'0'`}, "varchar(64)", "TEXT", likeText},
	}
}

func otherCases() []typeCase {
	return []typeCase{
		{"json", []string{`'{"b": 1.0,"a":[1e400, "\ud800"],"a":2}'`, `'12345678901234567890.10'`, `'"text"'`}, "longtext", "TEXT", likeJSON},
		{"jsonb", []string{`'{"b":1.0,"a":[1e20,"x"],"n":null}'`, `'12345678901234567890.10'`, `'"text"'`, `'true'`}, "longtext", "TEXT", likeJSON},
		{"integer[]", []string{`'{}'`, `'{1,NULL,-3}'`, `'{{1,2},{3,4}}'`, `'[0:1]={1,2}'`}, "longtext", "TEXT", likeJSON},
		{"text[]", []string{`'{"a,b","NULL",NULL,"\"\\","{}"}'`, `ARRAY['']`}, "longtext", "TEXT", likeJSON},
		{"bytea[]", []string{`ARRAY['\x00ff'::bytea]`}, "longtext", "TEXT", likeJSON},
		{"timestamp with time zone[]", []string{`ARRAY['2024-01-02 03:04:05+05:30'::timestamptz]`}, "longtext", "TEXT", likeJSON},
		{"jsonb[]", []string{`ARRAY['{"a": "b,c"}'::jsonb, '[1]']`, `ARRAY[ARRAY['1'::jsonb]]`}, "longtext", "TEXT", likeJSON},
		{"box[]", []string{`ARRAY['(1,2),(0,0)'::box, '(3,4),(0,0)']`}, "longtext", "TEXT", likeJSON},
		{"price[]", []string{`'{1.10}'`}, "longtext", "TEXT", likeJSON},
		{"mood", []string{`'sad'`, `'it''s "ok"'`}, "varchar(64)", "TEXT", likeText},
		{"mood[]", []string{`ARRAY['it''s "ok"'::mood]`}, "longtext", "TEXT", likeJSON},
		{"price", []string{"1.1"}, "decimal(10,2)", "NUMERIC", likeNumber},
		{"tags", []string{`'{a,b}'`}, "longtext", "TEXT", likeJSON},
		{"address", []string{`ROW('Main "St"', 12345)`, `ROW(NULL, 1)`}, "varchar(64)", "TEXT", likeText},
		{"int4range", []string{`'[1,5)'`, `'empty'`}, "varchar(64)", "TEXT", likeText},
		{"tstzmultirange", []string{`'{[2024-01-02 03:04:05+05:30,)}'`}, "varchar(64)", "TEXT", likeText},
		{"inet", []string{`'192.0.2.1'`, `'192.0.2.1/24'`, `'2001:db8::1'`}, "varchar(64)", "TEXT", likeText},
		{"cidr", []string{`'192.0.2.0/24'`}, "varchar(64)", "TEXT", likeText},
		{"macaddr", []string{`'08-00-2b-01-02-03'`}, "varchar(64)", "TEXT", likeText},
		{"money", []string{"'1234.5'", "'-0.01'"}, "varchar(64)", "TEXT", likeText},
		{"bit(3)", []string{"B'101'"}, "varchar(64)", "TEXT", likeText},
		{"bit varying(5)", []string{"B'01'"}, "varchar(64)", "TEXT", likeText},
		{"xml", []string{`'<a b="c">x</a>'`}, "longtext", "TEXT", likeText},
		{"hstore", []string{`'a=>1, b=>NULL'`}, "varchar(64)", "TEXT", likeText},
		{"tsvector", []string{`'a fat cat'`}, "varchar(64)", "TEXT", likeText},
		{"point", []string{`'(1,2.5)'`}, "varchar(64)", "TEXT", likeText},
		{"pg_lsn", []string{`'16/B374D848'`}, "varchar(64)", "TEXT", likeText},
		{"regclass", []string{`'pg_class'`}, "varchar(64)", "TEXT", likeText},
		{"int2vector", []string{`'1 2'`}, "varchar(64)", "TEXT", likeText},
	}
}
