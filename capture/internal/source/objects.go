package source

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Slot is the replication slot.
type Slot struct {
	Name, Plugin, Database, WALStatus string
	Temporary, Active                 bool
	PID                               int // of the process that uses it; 0 where none does
}

const slotQuery = `SELECT slot_name::text, coalesce(plugin::text, ''), coalesce(database::text, ''), coalesce(wal_status, ''), temporary, active, coalesce(active_pid, 0)
FROM pg_replication_slots WHERE slot_name = $1`

func readSlot(ctx context.Context, conn *pgx.Conn, name string) (*Slot, error) {
	s := new(Slot)
	err := conn.QueryRow(ctx, slotQuery, name).Scan(&s.Name, &s.Plugin, &s.Database, &s.WALStatus, &s.Temporary, &s.Active, &s.PID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the slot %s: %w", name, err)
	}
	return s, nil
}

// Publication is the publication.
type Publication struct {
	Name string
	// Owned says that the role owns it, or may act as its owner.
	Owned, AllTables, ViaRoot bool
	// Ops says that each kind of change is published.
	Ops bool
	// Tables are those that it has by their names, Schemas those whose tables it has.
	Tables  map[string]Published
	Schemas map[string]bool
}

// Published is how a publication has a table.
type Published struct {
	Filtered bool // by a WHERE
	Listed   bool // with a list of columns
}

const publicationQuery = `SELECT pubname::text, pg_has_role(pubowner, 'USAGE'), puballtables, pubviaroot, pubinsert AND pubupdate AND pubdelete AND pubtruncate
FROM pg_publication WHERE pubname = $1`

const publishedQuery = `SELECT format('%%s.%%s', n.nspname, c.relname), %s FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.pubname = $1`

const schemasQuery = `SELECT n.nspname::text FROM pg_publication_namespace s JOIN pg_publication p ON p.oid = s.pnpubid
JOIN pg_namespace n ON n.oid = s.pnnspid WHERE p.pubname = $1`

func readPublication(ctx context.Context, conn *pgx.Conn, name string, version int) (*Publication, error) {
	p := &Publication{Tables: map[string]Published{}, Schemas: map[string]bool{}}
	err := conn.QueryRow(ctx, publicationQuery, name).Scan(&p.Name, &p.Owned, &p.AllTables, &p.ViaRoot, &p.Ops)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		err = p.readTables(ctx, conn, version)
	}
	if err != nil {
		return nil, fmt.Errorf("read the publication %s: %w", name, err)
	}
	return p, nil
}

func (p *Publication) readTables(ctx context.Context, conn *pgx.Conn, version int) error {
	how := "false, false"
	if version >= filterVersion {
		how = "r.prqual IS NOT NULL, r.prattrs IS NOT NULL"
	}
	rows, err := conn.Query(ctx, fmt.Sprintf(publishedQuery, how), p.Name)
	if err != nil {
		return err
	}
	var name string
	var published Published
	if _, err := pgx.ForEachRow(rows, []any{&name, &published.Filtered, &published.Listed}, func() error {
		p.Tables[name] = published
		return nil
	}); err != nil || version < filterVersion {
		return err
	}
	if rows, err = conn.Query(ctx, schemasQuery, p.Name); err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, []any{&name}, func() error {
		p.Schemas[name] = true
		return nil
	})
	return err
}

// has reports whether the publication has a table.
func (p *Publication) has(t *Table) bool {
	_, named := p.Tables[t.FullName()]
	return p.AllTables || named || p.Schemas[t.Schema]
}
