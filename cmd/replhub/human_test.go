package main

import (
	"testing"
	"time"
)

func TestHumanBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 1 << 30: "1.0 GiB", 1 << 50: "1024.0 TiB"} {
		if got := humanBytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestHumanDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 1500 * time.Microsecond: "2ms", 59*time.Second + 900*time.Millisecond: "59s",
		time.Minute: "1m", 125 * time.Second: "2m5s", 3 * time.Hour: "3h", 25*time.Hour + 59*time.Minute: "1d1h",
	} {
		if got := humanDuration(d); got != want {
			t.Errorf("%d: %q, want %q", d, got, want)
		}
	}
}

func TestByteSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1048576": 1 << 20, "64MiB": 64 << 20, "1 GB": 1e9, "1.5k": 1500, "2ki": 2048, "7B": 7,
	} {
		var b byteSize
		if err := b.Set(text); err != nil || int64(b) != want {
			t.Errorf("%q: %d, error %v; want %d", text, b, err, want)
		}
	}
	for _, text := range []string{"", "lots", "-1", "1xb", "1MiBs", "9999999TiB", "1.2.3"} {
		var b byteSize
		if err := b.Set(text); err == nil {
			t.Errorf("%q: taken as %d", text, b)
		}
	}
}
