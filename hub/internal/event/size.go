package event

// What an event takes beside its payload and the bytes of its headers, measured
// on 64-bit machines (TestSize): its own fields, the buffer that it came in, and
// the headers of its copies; and for each header of the publisher's its strings
// and its place in two maps.
const (
	sizeBase   = 1024
	sizeHeader = 256
)

// Size estimates how many bytes an event takes in memory: rather more than less,
// whatever its headers are.
func (e *Event) Size() int { return max(e.size, sizeBase) }

// sizeOf is the size of an event that came with a header and data. What the
// publisher sent stays as it came, beside the strings that were made of it.
func sizeOf(header map[string][]string, data []byte) int {
	n := sizeBase + len(data)
	for name, values := range header {
		for _, v := range values {
			n += sizeHeader + 2*(len(name)+len(v))
		}
	}
	return n + n/8 // an allocation is rounded up by as much
}
