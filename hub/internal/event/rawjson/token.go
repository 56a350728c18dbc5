package rawjson

// peek is the byte at the position; 0, which no JSON token is, at the end.
func (m *Members) peek() byte {
	if m.pos < len(m.data) {
		return m.data[m.pos]
	}
	return 0
}

func (m *Members) space() {
	for m.pos < len(m.data) {
		switch m.data[m.pos] {
		case ' ', '\t', '\r', '\n':
			m.pos++
		default:
			return
		}
	}
}

func (m *Members) word(w string) bool {
	end := m.pos + len(w)
	if end > len(m.data) || string(m.data[m.pos:end]) != w {
		return false
	}
	m.pos = end
	return true
}

// text takes a string, from its opening to its closing quote.
func (m *Members) text() bool {
	data := m.data
	for i := m.pos + 1; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			m.pos = i + 1
			return true
		case c == '\\':
			n := escape(data[i+1:])
			if n == 0 {
				return false
			}
			i += n
		case c < ' ':
			return false
		}
	}
	return false
}

// escape is the length of the escape after a backslash; 0 when it is none.
func escape(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
		if len(b) >= 5 && isHex(b[1]) && isHex(b[2]) && isHex(b[3]) && isHex(b[4]) {
			return 5
		}
	}
	return 0
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func (m *Members) number() bool {
	if m.peek() == '-' {
		m.pos++
	}
	if m.peek() == '0' {
		m.pos++
	} else if !m.digits() {
		return false
	}
	if m.peek() == '.' {
		m.pos++
		if !m.digits() {
			return false
		}
	}
	if c := m.peek(); c == 'e' || c == 'E' {
		m.pos++
		if c := m.peek(); c == '+' || c == '-' {
			m.pos++
		}
		return m.digits()
	}
	return true
}

// digits takes one digit or more.
func (m *Members) digits() bool {
	start := m.pos
	for m.pos < len(m.data) && '0' <= m.data[m.pos] && m.data[m.pos] <= '9' {
		m.pos++
	}
	return m.pos > start
}
