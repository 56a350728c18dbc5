package redrive

import "github.com/replhub/replhub/hub/internal/lane/record"

// portion is the part of a redrive that one append covers.
type portion struct {
	*Redrive

	state record.State
	room  int
	// letters may be removed afterwards: they were chosen, or found in the lane already.
	letters []Letter
	chosen  Chosen
	left    []Left
	// from and used are where the next portion begins, at is the last letter looked at.
	from, at    uint64
	used, bytes int
	size        int // of left
	done        bool
}

// next redrives the letters of a portion.
func (r *Redrive) next() Step {
	var p *portion
	return Append{
		Choose: func(s record.State) Step {
			p = &portion{Redrive: r, state: s, from: r.from, at: r.At, room: r.limits.Letters - len(s.Redriven)}
			switch {
			case s.Detached != nil:
				return Chosen{Err: ErrDetached}
			case p.room <= 0:
				return Chosen{Err: ErrBusy}
			}
			return p.choose()
		},
		Then: func() Step { return p.remove(p.letters) },
	}
}

// choose looks at the next letter, unless the append is full. Letters that stay count as
// well: they cost as much to look at.
func (p *portion) choose() Step {
	if len(p.letters)+len(p.left) >= p.room || p.bytes >= p.limits.Bytes || p.Redrive.size+p.size >= p.limits.Left {
		return p.chosen
	}
	switch {
	case p.all:
		return ReadLetter{p.from, false, func(l *Letter) Step {
			if l == nil {
				return p.end()
			}
			p.from, p.at = l.Seq+1, l.Seq
			return p.look(*l)
		}}
	case p.used == len(p.seqs):
		return p.end()
	}
	seq := p.seqs[p.used]
	return ReadLetter{seq, true, func(l *Letter) Step {
		p.at = seq
		if p.used++; l == nil {
			return p.stays(seq, NoLetter)
		}
		return p.look(*l)
	}}
}

// end ends the choice at the last letter of the request.
func (p *portion) end() Step {
	p.done = true
	return p.chosen
}

// look decides on a letter.
func (p *portion) look(l Letter) Step {
	if p.state.HasRedriven(l.LetterID) {
		p.letters = append(p.letters, l) // a crash left the letter behind
		return p.choose()
	}
	return MakeCopy{p.state, l, func(c Copy) Step {
		if c.Stays != "" {
			return p.stays(l.Seq, c.Stays)
		}
		p.letters = append(p.letters, l)
		p.chosen.IDs, p.chosen.Copies = append(p.chosen.IDs, l.LetterID), append(p.chosen.Copies, c.Of)
		p.bytes += c.Bytes
		return p.choose()
	}}
}

// stays notes a letter that cannot be redriven.
func (p *portion) stays(seq uint64, why string) Step {
	left := Left{seq, why}
	p.left = append(p.left, left)
	p.size += p.limits.Size(left)
	return p.choose()
}

// remove removes the letters whose copies are in the lane.
func (p *portion) remove(rest []Letter) Step {
	if len(rest) > 0 {
		return Remove{rest[0], func() Step { return p.remove(rest[1:]) }}
	}
	if len(p.letters) == 0 {
		return p.over()
	}
	ids := make([]record.LetterID, len(p.letters))
	for i, l := range p.letters {
		ids[i] = l.LetterID
	}
	return Forget{ids, p.over}
}

// over adds the portion to the results.
func (p *portion) over() Step {
	r := p.Redrive
	r.Redriven += len(p.letters)
	r.Left, r.size = append(r.Left, p.left...), r.size+p.size
	r.from, r.At, r.seqs = p.from, p.at, r.seqs[p.used:]
	if p.done {
		return Done{}
	}
	return More{r.next}
}
