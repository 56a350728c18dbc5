package contract

// Lists are told in pages, in the order of their names. A page ends by its
// limit, by max_payload, or by the time that it takes to make, so it may be
// shorter than asked for, or empty: a reply with a next has a page behind it.

// Limits of a page.
const (
	// DefaultPage is the limit where none is stated, MostPage the greatest.
	DefaultPage = 500
	MostPage    = 1000
)

// ListServices asks for a page of services.
type ListServices struct {
	// After is the service that the page begins behind: the Next of the page
	// before; empty begins at the first.
	After string `json:"after,omitempty"`
	// Limit bounds the services of the page; DefaultPage by default.
	Limit int `json:"limit,omitempty"`
}

// Describe asks for a lane and a page of its interests.
type Describe struct {
	// After is the entity that the interests begin behind.
	After string `json:"after,omitempty"`
	// Limit bounds the interests; MostPage by default.
	Limit int `json:"limit,omitempty"`
}
