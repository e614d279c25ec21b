package appstore

import "time"

// SetPace has Watch look that often.
func (r *Roster) SetPace(d time.Duration) { r.pace = d }
