package contract

import (
	"fmt"
	"strconv"
)

// SizeText is a number of bytes in binary units, as in "1.5 KiB".
func SizeText[N int64 | uint64](n N) string {
	units := [...]string{"B", "KiB", "MiB", "GiB", "TiB"}
	value, unit := float64(n), 0
	for value >= 1024 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	if unit == 0 {
		return strconv.FormatFloat(value, 'f', 0, 64) + " B"
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}
