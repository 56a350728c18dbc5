package inbox_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// What the package's Convert functions return is stored by the type's rules.
func TestConverts(t *testing.T) {
	moment := map[database.Dialect]string{database.Postgres: "timestamptz", database.MariaDB: "datetime(6)", database.SQLite: "text"}
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		db := open(t, dialect)
		binary := map[database.Dialect]string{database.Postgres: "bytea", database.MariaDB: "varbinary(9)", database.SQLite: "blob"}[dialect]
		object := map[database.Dialect]string{database.Postgres: "json", database.MariaDB: "json", database.SQLite: "JSON"}[dialect]
		create(t, db, "CREATE TABLE c (id int PRIMARY KEY, seconds "+moment[dialect]+", millis "+moment[dialect]+", cut "+moment[dialect]+
			", utc "+moment[dialect]+", guid varchar(36), bin "+binary+", doc "+object+", own int)")
		table, err := inboxOn(t, dialect).NewTable(inbox.TableConfig{Table: "c", Columns: []inbox.Column{
			{Name: "seconds", Convert: inbox.UnixSeconds},
			{Name: "millis", Convert: inbox.UnixMillis},
			{Name: "cut", Convert: inbox.Truncate(time.Microsecond)},
			{Name: "utc", Convert: inbox.AssumeUTC},
			{Name: "guid", Convert: inbox.LowerUUID},
			{Name: "bin", Convert: inbox.Hex},
			{Name: "doc", Convert: inbox.ParseJSON},
			{Name: "own", Convert: func(any) (any, error) { return json.RawMessage(" 1e1 "), nil }},
		}})
		if err != nil {
			t.Fatal(err)
		}
		payload := `{"seconds":1704164645.5,"millis":-1,"cut":"2024-01-02T03:04:05.123456789Z","utc":"2024-01-02T03:04:05",` +
			`"guid":"{F47AC10B-58CC-4372-A567-0E02B2C3D479}","bin":"00ff","doc":"{\"a\": 1}","own":0}`
		if err := put(t, db, table, replhub.Create, "1", payload); err != nil {
			t.Fatal(err)
		}
		read := map[database.Dialect]string{
			database.Postgres: "SELECT (seconds AT TIME ZONE 'UTC')::text, (millis AT TIME ZONE 'UTC')::text, (cut AT TIME ZONE 'UTC')::text, (utc AT TIME ZONE 'UTC')::text, guid, encode(bin, 'hex'), doc, own FROM c",
			database.MariaDB:  "SELECT CAST(seconds AS char), CAST(millis AS char), CAST(cut AS char), CAST(utc AS char), guid, lower(hex(bin)), doc, own FROM c",
			database.SQLite:   "SELECT seconds, millis, cut, utc, guid, lower(hex(bin)), doc, own FROM c",
		}[dialect]
		want := map[database.Dialect]string{
			database.Postgres: "2024-01-02 03:04:05.5|1969-12-31 23:59:59.999|2024-01-02 03:04:05.123456|2024-01-02 03:04:05",
			database.MariaDB:  "2024-01-02 03:04:05.500000|1969-12-31 23:59:59.999000|2024-01-02 03:04:05.123456|2024-01-02 03:04:05.000000",
			database.SQLite:   "2024-01-02T03:04:05.5Z|1969-12-31T23:59:59.999Z|2024-01-02T03:04:05.123456Z|2024-01-02T03:04:05Z",
		}[dialect] + `|f47ac10b-58cc-4372-a567-0e02b2c3d479|00ff|{"a": 1}|10`
		if got := line(t, db, read); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		for _, payload := range []string{
			`{"seconds":"1"}`, `{"seconds":1.0000000001}`, `{"millis":1e30}`, `{"cut":1}`, `{"utc":"today"}`,
			`{"guid":"f47a"}`, `{"guid":"{f47ac10b-58cc-4372-a567-0e02b2c3d479"}`, `{"bin":"0"}`, `{"doc":"{"}`, `{"doc":1}`,
		} {
			payload = strings.TrimSuffix(payload, "}") + `,"own":0}`
			if err := put(t, db, table, replhub.Update, "1", payload); err == nil {
				t.Errorf("%s was taken", payload)
			}
		}
		if err := put(t, db, table, replhub.Update, "1", `{"seconds":null,"millis":null,"cut":null,"utc":null,"guid":null,"bin":null,"doc":null,"own":null}`); err != nil {
			t.Error(err)
		}
	})
}

func TestTruncate(t *testing.T) {
	for _, c := range []struct {
		unit     time.Duration
		in, want string
	}{
		{time.Second, "2024-01-02T03:04:05.9Z", `"2024-01-02T03:04:05Z"`},
		{time.Millisecond, "2024-01-02T03:04:05.1239+01:00", `"2024-01-02T03:04:05.123+01:00"`},
		{time.Microsecond, "03:04:05.123456789", `"03:04:05.123456"`},
		{time.Nanosecond, "03:04:05.123456789", `"03:04:05.123456789"`},
		{time.Millisecond, "2024-01-02T03:04:05Z", `"2024-01-02T03:04:05Z"`},
	} {
		got, err := inbox.Truncate(c.unit)(c.in)
		if raw, _ := got.(json.RawMessage); err != nil || string(raw) != c.want {
			t.Errorf("%s by %v: %s, %v, want %s", c.in, c.unit, raw, err, c.want)
		}
	}
}
