package source

import (
	"fmt"
	"slices"
	"strings"
)

// checkOutboxes looks at the tables whose rows are events.
func (k *checker) checkOutboxes() {
	for _, name := range k.Selection.Outboxes() {
		at := slices.IndexFunc(k.Tables, func(t Table) bool { return t.FullName() == name })
		if at < 0 {
			k.refuse("--outbox "+name, "there is no such table; the names are those of the catalog, in their letter case")
			continue
		}
		k.checkOutbox(&k.Tables[at])
	}
}

func (k *checker) checkOutbox(t *Table) {
	about := "outbox " + t.FullName()
	if !t.capturable() {
		k.refuse(about, "the log does not have its rows under its name: it must be a table that is logged, and no partition of another one")
		return
	}
	layout := k.Selection.Outbox(t.Schema, t.Name)
	if missing := notIn(layout.Columns(), t.names()); len(missing) > 0 {
		k.refuse(about, fmt.Sprintf("it has no column %s; say with --outbox %s=entity=<column>,key=<column>,op=<column>,payload=<column> which column is what", strings.Join(missing, ", "), t.FullName()))
	}
	for _, c := range t.Columns {
		if c.Generated && slices.Contains(layout.Columns(), c.Name) {
			k.refuse(about, fmt.Sprintf("its column %q is generated, and logical decoding does not send such columns", c.Name))
		}
	}
	if layout.Own() {
		k.checkGeneration(about, t)
	}
	// A publication of deletes makes the service's own DELETE fail without an identity.
	if columns, all := t.identityColumns(); !all && len(columns) == 0 {
		k.refuse(about, "it has no replica identity, so that nobody could delete its rows once it is in the publication", "ALTER TABLE "+t.quoted()+" REPLICA IDENTITY FULL;")
	}
	if k.DeleteOutbox {
		k.checkOutboxDeletes(about, t)
	}
	if t.Filled {
		k.warn(about, "it has rows from before, which the log does not tell of, so that they will be no events: let whatever published them publish these, too, and stop it, before the service writes further ones")
	}
}

// checkGeneration looks at the table beside the one of package outbox, which has what
// stands above its versions.
func (k *checker) checkGeneration(about string, t *Table) {
	at := slices.IndexFunc(k.Tables, func(o Table) bool { return o.Schema == t.Schema && o.Name == t.Name+"_generation" })
	if at < 0 {
		k.refuse(about, fmt.Sprintf("there is no table %s_generation, so it is none of package outbox: say which column is what with --outbox %[1]s=debezium, or entity=<column>,key=<column>,op=<column>,payload=<column>", t.FullName()))
		return
	}
	g := &k.Tables[at]
	if slices.ContainsFunc(g.Columns, func(c TableColumn) bool { return !c.Readable }) {
		k.refuse(about, "the role "+k.Server.Role+" may not read the generation of its versions", "GRANT SELECT ON "+g.quoted()+" TO "+quote(k.Server.Role)+";")
	}
}

// checkOutboxDeletes looks whether the capture can delete the rows.
func (k *checker) checkOutboxDeletes(about string, t *Table) {
	if t.primaryKey() == nil {
		k.refuse(about, "it has no primary key by which --outbox-delete could delete its rows", "ALTER TABLE "+t.quoted()+" ADD PRIMARY KEY (<column>);")
	}
	var statements []string
	if !t.UsesSchema {
		statements = append(statements, "GRANT USAGE ON SCHEMA "+quote(t.Schema)+" TO "+quote(k.Server.Role)+";")
	}
	if !t.Deletable {
		statements = append(statements, "GRANT SELECT, DELETE ON "+t.quoted()+" TO "+quote(k.Server.Role)+";")
	}
	if statements != nil {
		k.refuse(about, "the role "+k.Server.Role+" may not delete its rows, as --outbox-delete says", statements...)
	}
	if t.RowSecurity && !k.Server.BypassRLS {
		k.refuse(about, "its row security hides rows from the role "+k.Server.Role, "ALTER ROLE "+quote(k.Server.Role)+" BYPASSRLS;")
	}
}
