package row

import "github.com/jackc/pgx/v5/pgtype"

// kind is the rule of a type. PostgreSQL's text is taken as it is, unless the kind
// says otherwise.
type kind uint8

const (
	// kindText is a JSON string of PostgreSQL's text.
	kindText kind = iota
	// kindFolded is as kindText, but PostgreSQL orders the values without regard to
	// letter case (citext).
	kindFolded
	// kindOpaque is as kindText; values that are equal may have several texts, so the
	// type cannot be a key.
	kindOpaque
	kindBool
	kindInteger
	kindNumeric
	kindFloat
	// kindPadded is char(n), whose padding is no part of the value.
	kindPadded
	kindBytes
	kindClockZone
	kindMoment
	kindMomentZone
	kindJSON
	kindArray
)

// Type is the rule of a column's type. The zero Type is PostgreSQL's text as a string.
type Type struct {
	kind kind
	// element and delimiter are those of an array.
	element   *Type
	delimiter byte
}

// moneyOID is the OID of money, which pgtype has no name for.
const moneyOID = 790

// builtin returns the rule of a type that every PostgreSQL has under the same OID;
// false for arrays and for types that an extension or a user defined.
func builtin(oid uint32) (Type, bool) {
	k, ok := builtins[oid]
	return Type{kind: k}, ok
}

// The types of the catalog are the same in every version of PostgreSQL.
//
//nolint:gochecknoglobals // a table of constants
var builtins = map[uint32]kind{
	pgtype.BoolOID: kindBool,
	pgtype.Int2OID: kindInteger, pgtype.Int4OID: kindInteger, pgtype.Int8OID: kindInteger, pgtype.OIDOID: kindInteger,
	pgtype.NumericOID: kindNumeric,
	pgtype.Float4OID:  kindFloat, pgtype.Float8OID: kindFloat,
	pgtype.TextOID: kindText, pgtype.VarcharOID: kindText, pgtype.NameOID: kindText, pgtype.QCharOID: kindText,
	pgtype.BPCharOID: kindPadded,
	pgtype.ByteaOID:  kindBytes,
	pgtype.UUIDOID:   kindText,
	pgtype.DateOID:   kindText, pgtype.TimeOID: kindText, pgtype.TimetzOID: kindClockZone,
	pgtype.TimestampOID: kindMoment, pgtype.TimestamptzOID: kindMomentZone,
	pgtype.IntervalOID: kindOpaque, // a day and 24 hours are equal
	pgtype.JSONOID:     kindJSON, pgtype.JSONBOID: kindJSON,
	pgtype.InetOID: kindText, pgtype.CIDROID: kindText, pgtype.MacaddrOID: kindText, pgtype.Macaddr8OID: kindText,
	pgtype.BitOID: kindText, pgtype.VarbitOID: kindText,
	moneyOID: kindOpaque, pgtype.XMLOID: kindOpaque,
}

// Folded reports whether PostgreSQL orders the values of the type in another way than
// their texts.
func (t Type) Folded() bool { return t.kind == kindFolded }

// CanBeKey reports whether each value of the type has one text.
func (t Type) CanBeKey() bool {
	switch t.kind {
	case kindOpaque, kindFloat, kindJSON, kindArray:
		return false
	default:
		return true
	}
}
