// Package source is the database that capture reads: what its catalog says (catalog.go,
// table.go, objects.go), what of that stands in the way of a capture (finding.go,
// checkserver.go, checktables.go, checkobjects.go, which are pure), what is made before
// the first change (setup.go), and the rows of its tables as events (tables.go, scan.go,
// rows.go, snapshot.go).
package source
