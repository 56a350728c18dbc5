package source

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/subjects"
)

// checkServer looks at the server, its settings and the role.
func (k *checker) checkServer() {
	s := k.Server
	switch {
	case s.Version < oldestVersion:
		k.refuse("server", fmt.Sprintf("it is PostgreSQL %s; capture needs 14 or later", s.VersionText))
	case s.Version >= newestVersion:
		k.warn("server", fmt.Sprintf("it is PostgreSQL %s; capture is tested with 15, and known to fit 14 to 17", s.VersionText))
	}
	if s.WALLevel != "logical" {
		k.refuse("server", fmt.Sprintf("wal_level is %s; set it to logical and restart the server", s.WALLevel), "ALTER SYSTEM SET wal_level = 'logical';")
	}
	if s.Standby {
		k.refuse("server", "it is a standby; connect to the primary server")
	}
	if s.Encoding == "SQL_ASCII" {
		k.refuse("database "+s.Database, "its encoding is SQL_ASCII, so its text is in no known encoding; move it to a database of encoding UTF8")
	}
	if k.Slot == nil && s.Slots >= s.MaxSlots {
		k.refuse("server", fmt.Sprintf("all %d replication slots are taken; drop one that nobody uses, or raise max_replication_slots and restart the server", s.MaxSlots),
			fmt.Sprintf("ALTER SYSTEM SET max_replication_slots = %d;", s.MaxSlots+10))
	}
	if s.Senders >= s.MaxSenders && (k.Slot == nil || !k.Slot.Active) {
		k.refuse("server", fmt.Sprintf("all %d connections for replication are taken (or there are none); raise max_wal_senders and restart the server", s.MaxSenders),
			fmt.Sprintf("ALTER SYSTEM SET max_wal_senders = %d;", s.MaxSenders+10))
	}
	if !s.Replication {
		k.refuse("role "+s.Role, "it may not replicate; a superuser can grant that", "ALTER ROLE "+quote(s.Role)+" REPLICATION;")
	}
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// checkNames looks at the names that are said, not found.
func (k *checker) checkNames() {
	if _, err := subjects.ParseName(k.Service); err != nil {
		k.refuse("--service", err.Error())
	}
	if !captured.ValidSlot(k.SlotName) {
		k.refuse("--slot", fmt.Sprintf("%q is not a valid slot name: 1 to 63 lower-case letters, digits and _", k.SlotName))
	}
	if n := len(k.PublicationName); n == 0 || n > 63 {
		k.refuse("--publication", fmt.Sprintf("%q is no name of a publication: 1 to 63 bytes", k.PublicationName))
	}
}
