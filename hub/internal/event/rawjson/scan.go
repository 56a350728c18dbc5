package rawjson

// Kind is what a text turned out to be.
type Kind uint8

// The kinds of texts.
const (
	Invalid Kind = iota // not one JSON value
	Object
	Other // any other JSON value
)

// Members goes over the members of the object that a text holds, in the order of
// the text; members of the same name come one after the other (for
// encoding/json the last counts):
//
//	m := rawjson.Walk(data)
//	for m.Next() {
//		use(m.Name(), m.Value())
//	}
//	if m.Kind() != rawjson.Object {
//
// What the text is shows at the end only: members may have come of a text that
// turns out Invalid. It is for one goroutine.
type Members struct {
	data   []byte
	pos    int
	nest   nesting
	expect expectation
	kind   Kind
	// name is the outermost object's member at hand, nil between members; its
	// value is from start to end.
	name       []byte
	start, end int
}

// expectation is what may come next in the text.
type expectation uint8

const (
	expectValue expectation = iota
	expectFirstName
	expectName
	expectFirstElement
	expectEnd // of a value: a comma, or its container's end
	expectNothing
)

// Walk starts to go over data, which must not change meanwhile.
func Walk(data []byte) Members {
	m := Members{data: data, kind: Other}
	m.space()
	if m.peek() == '{' {
		m.kind = Object
	}
	return m
}

// Name is the member's name, a JSON string with its quotes, as it is written.
func (m *Members) Name() []byte { return m.name }

// Value is the member's value as it is written.
func (m *Members) Value() []byte { return m.data[m.start:m.end] }

// Kind is what the text is, once Next has returned false.
func (m *Members) Kind() Kind { return m.kind }

// Next goes on to the next member; false at the end of the text, or where it
// turns out to be invalid.
func (m *Members) Next() bool {
	m.name = nil
	for m.expect != expectNothing {
		m.space()
		if !m.step() {
			m.kind, m.expect = Invalid, expectNothing
			return false
		}
		if m.name != nil && m.expect == expectEnd && m.nest.depth == 1 {
			m.end = m.pos
			return true
		}
	}
	return false
}

// step takes one token, or a member's name with its colon, and reports whether
// it may stand where it does.
func (m *Members) step() bool {
	switch m.expect {
	case expectValue:
		return m.value()
	case expectName:
		return m.member()
	case expectFirstName:
		return m.closes('}') || m.member()
	case expectFirstElement:
		return m.closes(']') || m.value()
	default:
		return m.after()
	}
}

// closes takes the end of an empty container, if it is there.
func (m *Members) closes(c byte) bool {
	if m.peek() != c {
		return false
	}
	m.pos++
	m.nest.pop()
	m.expect = expectEnd
	return true
}

// value takes a scalar, or the opening of a container.
func (m *Members) value() bool {
	if m.nest.depth == 1 {
		m.start = m.pos
	}
	m.expect = expectEnd
	switch m.peek() {
	case '{':
		m.pos++
		m.expect = expectFirstName
		return m.nest.push(true)
	case '[':
		m.pos++
		m.expect = expectFirstElement
		return m.nest.push(false)
	case '"':
		return m.text()
	case 't':
		return m.word("true")
	case 'f':
		return m.word("false")
	case 'n':
		return m.word("null")
	default:
		return m.number()
	}
}

// member takes a member's name and the colon.
func (m *Members) member() bool {
	start := m.pos
	if m.peek() != '"' || !m.text() {
		return false
	}
	if m.nest.depth == 1 {
		m.name = m.data[start:m.pos]
	}
	m.space()
	if m.peek() != ':' {
		return false
	}
	m.pos++
	m.expect = expectValue
	return true
}

// after takes what follows a value: inside a container a comma or its end,
// outside nothing.
func (m *Members) after() bool {
	if m.nest.depth == 0 {
		m.expect = expectNothing
		return m.pos == len(m.data)
	}
	c, object := m.peek(), m.nest.inObject()
	m.pos++
	switch {
	case c == ',' && object:
		m.expect = expectName
	case c == ',':
		m.expect = expectValue
	case c == '}' && object, c == ']' && !object:
		m.nest.pop()
		m.expect = expectEnd
	default:
		return false
	}
	return true
}
