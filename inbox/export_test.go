package inbox

import "time"

// SetShapeDoubt sets how old the known types of a table have to be for a second
// look before a value is refused.
func (i *Inbox) SetShapeDoubt(d time.Duration) { i.shapeDoubt = d }
