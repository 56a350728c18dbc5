// Package rawjson walks a JSON object's members without decoding them, in one
// pass, without recursion and, for nesting up to 64 levels, without memory of
// its own. It judges a text exactly as strictly as encoding/json does.
//
// It is not promised that a value is decoded or checked beyond its syntax:
// numbers may be out of any range, strings may hold invalid UTF-8.
package rawjson
