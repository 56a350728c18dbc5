package hub

// ValidID reports whether a hub may be called so.
func ValidID(id string) bool { return idGrammar.MatchString(id) }
