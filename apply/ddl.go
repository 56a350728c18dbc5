package apply

import (
	"fmt"
	"strings"

	"github.com/replhub/replhub/database"
)

// createTable is the statement that makes a table.
func createTable(d database.Dialect, name string, g guessed) (string, error) {
	table, err := d.QuotePath(name)
	if err != nil {
		return "", err
	}
	lines := make([]string, 0, len(g.columns)+1)
	for i, c := range append([]guess{g.key}, g.columns...) {
		quoted, err := d.Quote(c.name)
		if err != nil {
			return "", fmt.Errorf("column: %w", err)
		}
		line := strings.TrimSpace("  " + quoted + " " + c.typeName)
		if i == 0 {
			line += " NOT NULL PRIMARY KEY"
		}
		lines = append(lines, "  "+line)
	}
	return fmt.Sprintf("CREATE TABLE %s (\n%s\n)", table, strings.Join(lines, ",\n")), nil
}
