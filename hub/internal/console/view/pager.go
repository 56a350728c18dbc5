package view

// PageSize is how many services, or groups of dead letters, a page shows.
const PageSize = 50

// Pager says which part of a list a page shows.
type Pager struct {
	// Page counts from 1 to Pages. Before and After are the pages beside it; 0 is none.
	Page, Pages, Before, After int
}

// PageOf shows a page of a list. A page beyond the list is its last one.
func PageOf[T any](list []T, page int) (Pager, []T) {
	p := Pager{Pages: max((len(list)+PageSize-1)/PageSize, 1)}
	p.Page = min(max(page, 1), p.Pages)
	p.Before = p.Page - 1
	if p.Page < p.Pages {
		p.After = p.Page + 1
	}
	return p, list[(p.Page-1)*PageSize : min(p.Page*PageSize, len(list))]
}
