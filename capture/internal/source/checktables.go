package source

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/subjects"
)

// checkTables looks at what the flags name, and at each table that is captured.
func (k *checker) checkTables() {
	columns := map[string][]string{}
	byEntity := map[string][]string{}
	for n := range k.Tables {
		t := &k.Tables[n]
		entity, ok := k.Selection.Entity(t.Schema, t.Name)
		if !ok {
			continue
		}
		if k.unfit(t) {
			if k.Selection.Named(t.Schema, t.Name) {
				columns[t.FullName()] = t.names() // why it is unfit is told already
			}
			continue
		}
		columns[t.FullName()] = t.names()
		if _, err := subjects.ParseName(entity); err != nil {
			k.refuse("table "+t.FullName(), fmt.Sprintf("%v; name an entity with --table %s=<entity>", err, t.FullName()))
		}
		if captured.Reserved(entity) {
			k.refuse("table "+t.FullName(), "names that begin with capture- are those of the records of captures; choose another entity")
		}
		byEntity[entity] = append(byEntity[entity], t.FullName())
		for _, f := range k.checkTable(t) {
			f.table = t.FullName()
			k.found = append(k.found, f)
		}
	}
	for _, unused := range k.Selection.Unused(columns) {
		k.found = append(k.found, Finding{
			Warning: unused.Harmless, About: unused.Flag, Message: unused.Message + "; the names are those of the catalog, in their letter case",
		})
	}
	for entity, tables := range byEntity {
		if len(tables) > 1 {
			k.warn("entity "+entity, fmt.Sprintf("the rows of %s are its rows; no two of them may have a row of the same key, or one row replaces the other in the replicas", strings.Join(tables, ", ")))
		}
	}
	slices.SortStableFunc(k.found, func(a, b Finding) int { return boolInt(a.Warning) - boolInt(b.Warning) })
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (t *Table) names() []string {
	names := make([]string, len(t.Columns))
	for n, c := range t.Columns {
		names[n] = c.Name
	}
	return names
}

// unfit says why what matches is no table that can be captured. What only a pattern
// matches is passed over in silence.
func (k *checker) unfit(t *Table) bool {
	var why string
	switch {
	case t.Root != "":
		why = "it is a partition, whose changes are published as those of " + t.Root + "; name that table"
	case t.Kind == "v", t.Kind == "m":
		why = "it is a view, which has no changes of its own; name the tables below it"
	case t.Kind == "f":
		why = "it is a foreign table, whose changes are in another server; capture that one"
	case t.Persistence == "u":
		why = "it is unlogged, so its changes are not in the log; make it logged"
	case t.Persistence == "t":
		why = "it is a temporary table"
	default:
		return false
	}
	if k.Selection.Named(t.Schema, t.Name) {
		var statements []string
		if t.Persistence == "u" {
			statements = []string{"ALTER TABLE " + t.quoted() + " SET LOGGED;"}
		}
		k.refuse("table "+t.FullName(), why, statements...)
	}
	return true
}

// checkTable looks at the key, the replica identity and the rights.
func (k *checker) checkTable(t *Table) Findings {
	var found Findings
	refuse := func(message string, statements ...string) {
		found = append(found, Finding{About: "table " + t.FullName(), Message: message, Statements: statements})
	}
	key := k.keyOf(t)
	if key == nil {
		refuse("it has no primary key that holds at once; add one, or name the columns of a unique index with --key "+t.FullName()+"=<column>",
			"ALTER TABLE "+t.quoted()+" ADD PRIMARY KEY (<column>);")
	}
	for _, name := range key {
		if message := k.unfitKey(t, name); message != "" {
			refuse(message)
		}
	}
	if missing := notIn(key, t.names()); key != nil && len(missing) == 0 && !t.tells(key) {
		list := quoteAll(key)
		refuse(fmt.Sprintf("the columns %s of --key do not tell its rows apart: they need a unique index that is neither partial nor deferrable, and NOT NULL", strings.Join(key, ", ")),
			"CREATE UNIQUE INDEX ON "+t.quoted()+" ("+strings.Join(list, ", ")+");",
			"ALTER TABLE "+t.quoted()+" ALTER COLUMN "+strings.Join(list, " SET NOT NULL, ALTER COLUMN ")+" SET NOT NULL;")
	}
	k.checkIdentity(t, key, refuse)
	k.checkRights(t, refuse)
	return found
}

// keyOf returns the columns of a table's key; nil without one.
func (w *Wanted) keyOf(t *Table) []string {
	if key := w.Selection.Key(t.Schema, t.Name); key != nil {
		return key
	}
	return t.primaryKey()
}

// unfitKey says why a column cannot belong to the key; empty when it can.
func (k *checker) unfitKey(t *Table, name string) string {
	at := slices.IndexFunc(t.Columns, func(c TableColumn) bool { return c.Name == name })
	switch {
	case at < 0:
		return fmt.Sprintf("it has no column %q for its key", name)
	case k.Selection.Excludes(t.Schema, t.Name, name):
		return fmt.Sprintf("column %q belongs to the key and cannot be excluded", name)
	case t.Columns[at].Generated:
		return fmt.Sprintf("column %q is generated, and logical decoding does not send such columns; choose another key with --key", name)
	case k.NoKeys[t.Columns[at].Type]:
		return fmt.Sprintf("column %q cannot belong to a key, because its type has several texts for one value; choose another key with --key", name)
	}
	return ""
}

// checkIdentity looks whether the stream has the key of the rows that are changed and
// deleted.
func (k *checker) checkIdentity(t *Table, key []string, refuse func(string, ...string)) {
	if key == nil {
		return
	}
	columns, all := t.identityColumns()
	if all || len(notIn(key, columns)) == 0 {
		return
	}
	mend := "ALTER TABLE " + t.quoted() + " REPLICA IDENTITY FULL;"
	if len(notIn(key, t.primaryKey())) == 0 {
		mend = "ALTER TABLE " + t.quoted() + " REPLICA IDENTITY DEFAULT;"
	} else if i := slices.IndexFunc(t.Indexes, func(i Index) bool { return len(notIn(key, i.Columns)) == 0 }); i >= 0 {
		mend = "ALTER TABLE " + t.quoted() + " REPLICA IDENTITY USING INDEX " + quote(t.Indexes[i].Name) + ";"
	}
	refuse("its replica identity does not have the columns of its key, so the log does not say which row is deleted", mend)
}

// checkRights looks whether the rows can be read.
func (k *checker) checkRights(t *Table, refuse func(string, ...string)) {
	var statements []string
	if !t.UsesSchema {
		statements = append(statements, "GRANT USAGE ON SCHEMA "+quote(t.Schema)+" TO "+quote(k.Server.Role)+";")
	}
	var unread []string
	for _, c := range t.Columns {
		if !c.Readable && !c.Generated && !k.Selection.Excludes(t.Schema, t.Name, c.Name) {
			unread = append(unread, c.Name)
		}
	}
	if len(unread) > 0 {
		statements = append(statements, "GRANT SELECT ON "+t.quoted()+" TO "+quote(k.Server.Role)+";")
	}
	if statements != nil {
		refuse("the role "+k.Server.Role+" may not read it", statements...)
	}
	if t.RowSecurity && !k.Server.BypassRLS {
		refuse("its row security hides rows from the role "+k.Server.Role+", which snapshots would leave out", "ALTER ROLE "+quote(k.Server.Role)+" BYPASSRLS;")
	}
}

// notIn returns the names that are not in a list.
func notIn(names, list []string) []string {
	var missing []string
	for _, name := range names {
		if !slices.Contains(list, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

func quoteAll(names []string) []string {
	quoted := make([]string, len(names))
	for n, name := range names {
		quoted[n] = quote(name)
	}
	return quoted
}
