package inbox

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// moment is a date and time of day as a string says it.
type moment struct {
	// wall is what is written, taken for UTC; with an offset, it is converted.
	wall time.Time
	// zoned says that an offset is written.
	zoned bool
}

var errNoMoment = errors.New("it is no date and time in the form 2006-01-02T15:04:05, with or without a fraction of up to nine digits and an offset")

// parseMoment reads RFC 3339, with a T or a blank before the time, and with or
// without an offset. Years are 1 to 9999, in UTC too.
func parseMoment(text string) (moment, error) {
	if len(text) < len("2006-01-02T15:04:05") || text[10] != 'T' && text[10] != 't' && text[10] != ' ' {
		return moment{}, errNoMoment
	}
	clock, offset := cutOffset(text[11:])
	if !wellFormedClock(clock) || !wellFormedDate(text[:10]) {
		return moment{}, errNoMoment
	}
	if offset == "" {
		offset = "Z"
	}
	at, err := time.Parse(time.RFC3339Nano, text[:10]+"T"+clock+strings.ToUpper(offset))
	if err != nil {
		return moment{}, errNoMoment
	}
	at = at.UTC()
	if at.Year() < 1 || at.Year() > 9999 {
		return moment{}, errors.New("its year in UTC is not 1 to 9999")
	}
	return moment{wall: at, zoned: len(clock) < len(text)-11}, nil
}

// cutOffset parts a time of day from its offset.
func cutOffset(text string) (clock, offset string) {
	if i := strings.IndexAny(text, "zZ+-"); i >= 0 {
		return text[:i], text[i:]
	}
	return text, ""
}

// wellFormedClock reports whether clock is 15:04:05, with or without one to nine
// digits of a fraction. It is stricter than time.Parse, which takes a comma.
func wellFormedClock(clock string) bool {
	whole, fraction, point := strings.Cut(clock, ".")
	if len(whole) != 8 || whole[2] != ':' || whole[5] != ':' {
		return false
	}
	return onlyDigits(whole[:2]) && onlyDigits(whole[3:5]) && onlyDigits(whole[6:]) && (!point || onlyDigits(fraction) && len(fraction) <= 9)
}

// wellFormedDate reports whether date is a day of the years 1 to 9999.
func wellFormedDate(date string) bool {
	day, err := time.Parse(time.DateOnly, date)
	return err == nil && len(date) == len(time.DateOnly) && day.Year() >= 1
}

// fractionDigits is how many digits of a fraction at has, without zeros at the
// end.
func fractionDigits(at time.Time) int {
	text := at.Format(".999999999")
	return max(0, len(text)-1)
}

func errFraction(has, takes int) error {
	return fmt.Errorf("it has %d digits of a fraction of a second, and the column keeps %d; inbox.Truncate as the column's Convert cuts them off", has, takes)
}

const sqlMoment = "2006-01-02 15:04:05.999999999"

// momentRule is that of columns of a date and time.
type momentRule struct {
	// fraction is how many digits of a second's fraction the column keeps.
	fraction int
	// zoned says that the column is a point in time. It then needs an offset, since
	// without one the session's time zone would decide. A column of another sort
	// keeps what is written, and with an offset the same time in UTC.
	zoned bool
	// suffix is UTC as the database reads it.
	suffix string
	// min and max bound the time; zero is no bound.
	min, max time.Time
}

func (m momentRule) store(v jsonValue) (any, error) {
	if v.kind != jsonString {
		return nil, refusedKind(v, "a column of date and time")
	}
	at, err := parseMoment(v.text)
	switch {
	case err != nil:
		return nil, err
	case m.zoned && !at.zoned:
		return nil, errors.New("it has no offset, so the session's time zone would decide; inbox.AssumeUTC as the column's Convert takes it for UTC")
	case fractionDigits(at.wall) > m.fraction:
		return nil, errFraction(fractionDigits(at.wall), m.fraction)
	case !m.min.IsZero() && (at.wall.Before(m.min) || at.wall.After(m.max)):
		return nil, fmt.Errorf("it is out of the column's range, %s to %s", m.min.Format(time.RFC3339), m.max.Format(time.RFC3339))
	}
	return at.wall.Format(sqlMoment) + m.suffix, nil
}

// dateRule is that of columns of a date.
type dateRule struct{}

func (dateRule) store(v jsonValue) (any, error) {
	if v.kind != jsonString {
		return nil, refusedKind(v, "a date column")
	}
	if !wellFormedDate(v.text) {
		return nil, errors.New("it is no date in the form 2006-01-02 of the years 1 to 9999, without a time")
	}
	return v.text, nil
}

func (d dateRule) key(text string) (any, error) { return d.store(stringValue(text)) }

// clockRule is that of columns of a time of day.
type clockRule struct {
	fraction int
	// zoned says that the column keeps an offset, which then must be there; in
	// other columns it must not.
	zoned bool
}

func (c clockRule) store(v jsonValue) (any, error) {
	if v.kind != jsonString {
		return nil, refusedKind(v, "a column of a time of day")
	}
	clock, offset := cutOffset(v.text)
	if !wellFormedClock(clock) || (offset != "") != c.zoned {
		if c.zoned {
			return nil, errors.New("it is no time of day in the form 15:04:05+01:00, with an offset")
		}
		return nil, errors.New("it is no time of day in the form 15:04:05, without a date and an offset")
	}
	zone := strings.ToUpper(offset)
	if zone == "" {
		zone = "Z"
	}
	at, err := time.Parse(time.RFC3339Nano, "2006-01-02T"+clock+zone)
	if err != nil {
		return nil, errors.New("it is no time of day")
	}
	if _, seconds := at.Zone(); seconds <= -16*3600 || seconds >= 16*3600 {
		return nil, errors.New("its offset is 16 hours or more")
	}
	if n := fractionDigits(at); n > c.fraction {
		return nil, errFraction(n, c.fraction)
	}
	if c.zoned && zone == "Z" {
		return clock + "+00:00", nil
	}
	return clock + offset, nil
}
