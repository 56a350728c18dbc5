package engine

// LeftOutMend is what to do about changes that were left out.
const LeftOutMend = "change the rows, which publishes them as a whole, or name a key of other columns with --key, or leave the column out with --exclude; " +
	"then start once with --dismiss, or with --resync where rows may differ in the replicas"

// TruncatedMend is what to do about a table that was truncated.
const TruncatedMend = "'replhub verify <service> --repair' for each replica deletes the rows; then start once with --dismiss"

// tell tells of what ingest cannot express. first says that the record does not have it
// yet: every other change of the same table is counted, and told by the record.
func (e *Engine) tell(a *alarm, first bool) {
	if a.truncated != "" {
		e.counts.Truncates.Add(1)
		e.cfg.Logger.Error("a table was truncated; its rows are still in the replicas", "table", a.truncated, "slot", e.cfg.Slot, "mend", TruncatedMend)
	}
	if a.altered.Table != "" && first {
		e.cfg.Logger.Warn("a table was altered, and replicas do not have that of the rows from before", "slot", e.cfg.Slot, "mend", AlteredMend(a.altered))
	}
	if a.leftOut.Table == "" {
		return
	}
	e.counts.LeftOut.Add(a.leftOut.Changes)
	if first {
		e.cfg.Logger.Error("a change cannot be an event, and is left out; further ones of the table are counted", "table", a.leftOut.Table,
			"slot", e.cfg.Slot, "lsn", a.leftOut.At.Change.String(), "reason", a.leftOut.Why, "mend", LeftOutMend)
	}
}
