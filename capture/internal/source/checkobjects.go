package source

import (
	"fmt"
	"strings"
)

// publishAll are the options that a publication needs.
const publishAll = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"

// CreatePublication is the statement that makes a publication.
func CreatePublication(name string, tables []Table) string {
	return "CREATE PUBLICATION " + quote(name) + " FOR TABLE " + list(tables) + " WITH (" + publishAll + ")"
}

// AddToPublication is the statement that adds tables to a publication.
func AddToPublication(name string, tables []Table) string {
	return "ALTER PUBLICATION " + quote(name) + " ADD TABLE " + list(tables)
}

// list names tables in SQL.
func list(tables []Table) string {
	names := make([]string, len(tables))
	for n := range tables {
		names[n] = tables[n].itself()
	}
	return strings.Join(names, ", ")
}

// checkPublication looks at the publication that exists, or at the rights to make one.
func (k *checker) checkPublication() {
	about := "publication " + k.PublicationName
	captured := InPublication(k.Selection, k.Tables)
	if len(captured) == 0 {
		return // each rule that names nothing is told already
	}
	p := k.Publication
	if p == nil {
		if foreign := k.foreign(captured); !k.Server.CreateInDatabase && !k.Server.Superuser || len(foreign) > 0 {
			k.refuse(about, fmt.Sprintf("it does not exist, and the role %s may not create it: that needs CREATE on the database and ownership of the tables; an owner can create it once", k.Server.Role),
				CreatePublication(k.PublicationName, captured)+";")
		}
		return
	}
	if missing := p.missing(captured); len(missing) > 0 && (!p.Owned || len(k.foreign(missing)) > 0) {
		k.refuse(about, fmt.Sprintf("it lacks tables, and the role %s may not add them", k.Server.Role), AddToPublication(k.PublicationName, missing)+";")
	}
	if !p.Ops || !p.ViaRoot {
		k.refuse(about, "it does not publish every kind of change under the root of partitions; if nobody else uses it, change it, else choose another name with --publication",
			"ALTER PUBLICATION "+quote(p.Name)+" SET ("+publishAll+");")
	}
	if p.AllTables {
		k.warn(about, "it is FOR ALL TABLES: the changes of tables that are not captured are decoded as well, and left out")
	}
	k.checkParts(about, captured)
}

// checkParts refuses tables of which the publication has only a part.
func (k *checker) checkParts(about string, captured []Table) {
	for n := range captured {
		t := &captured[n]
		how := k.Publication.Tables[t.FullName()]
		if !how.Filtered && !how.Listed {
			continue
		}
		what := "rows (by a WHERE)"
		if how.Listed {
			what = "columns"
		}
		k.refuse(about, fmt.Sprintf("it has only some %s of %s; take the table out and add it whole (services choose rows and columns with filter and fields, --exclude leaves a column out)", what, t.FullName()),
			"ALTER PUBLICATION "+quote(k.Publication.Name)+" DROP TABLE "+t.quoted()+";",
			"ALTER PUBLICATION "+quote(k.Publication.Name)+" ADD TABLE "+t.quoted()+";")
	}
}

// missing returns the tables that the publication does not have.
func (p *Publication) missing(tables []Table) []Table {
	var missing []Table
	for n := range tables {
		if !p.has(&tables[n]) {
			missing = append(missing, tables[n])
		}
	}
	return missing
}

// foreign returns the tables that the role does not own.
func (k *checker) foreign(tables []Table) []Table {
	var foreign []Table
	for n := range tables {
		if !tables[n].Owned {
			foreign = append(foreign, tables[n])
		}
	}
	return foreign
}

// Unrecorded warns of a slot that was there before the first capture of which ingest
// knows. If a capture used it, ingest and its record were lost, and with them changes. It
// may also be a slot that somebody made for the capture, or that a capture made which was
// killed before its first record, so it is no reason to stop.
func Unrecorded(c Catalog) Findings {
	if c.Slot == nil || c.Slot.Active { // another process makes its record now
		return nil
	}
	return Findings{{
		Warning: true,
		About:   "slot " + c.Slot.Name,
		Message: "it exists, and ingest has no record of a capture that used it; the capture begins where the slot stands. " +
			"If ingest was lost or made again, changes are missing in the replicas: start once with --resync, which publishes every row again",
	}}
}

// checkSlot looks at the slot that exists.
func (k *checker) checkSlot() {
	s := k.Slot
	if s == nil {
		return
	}
	about := "slot " + s.Name
	drop := fmt.Sprintf("SELECT pg_drop_replication_slot('%s');", s.Name)
	switch {
	case s.Plugin != "pgoutput":
		k.refuse(about, fmt.Sprintf("it is of the plugin %q, not of pgoutput: another program uses it; choose another name with --slot", s.Plugin))
	case s.Database != k.Server.Database:
		k.refuse(about, fmt.Sprintf("it is of the database %q, not of %q; choose another name with --slot", s.Database, k.Server.Database))
	case s.Temporary:
		k.refuse(about, "it is temporary, and goes with the session that made it; choose another name with --slot")
	case s.WALStatus == "lost" && !k.Resync:
		k.refuse(about, "it is lost: the server has removed log that it needed (max_slot_wal_keep_size), and with it changes; start once with --resync, which makes a new slot and publishes every row again", drop)
	case s.Active:
		k.warn(about, fmt.Sprintf("process %d of the server uses it: another capture, for which this one stands by", s.PID))
	}
}
