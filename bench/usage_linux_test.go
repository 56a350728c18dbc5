package main

import (
	"os"
	"syscall"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	got, err := parseStat([]byte("42 (a) name) S 1 2 3 4 5 6 7 8 9 10 150 25 13 14 15 16 17\n"))
	if err != nil || got != 1750*time.Millisecond {
		t.Errorf("%s, %v; want 1.75s", got, err)
	}
	for _, bad := range []string{"", "42 (name", "42 (name) S 1 2"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestParseStatus(t *testing.T) {
	got, err := parseStatus([]byte("Name:\tx\nVmPeak:\t  999 kB\nVmHWM:\t   12 kB\n"))
	if err != nil || got != 12<<10 {
		t.Errorf("%d, %v; want 12 KiB", got, err)
	}
	for _, bad := range []string{"", "VmHWM:\tmuch kB\n"} {
		if _, err := parseStatus([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestMeterForgetsWhatWasBefore(t *testing.T) {
	const size = 256 << 20
	// Not from Go's heap, which keeps what was freed.
	big, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < size; i += os.Getpagesize() {
		big[i] = 1
	}
	if err := syscall.Munmap(big); err != nil {
		t.Fatal(err)
	}
	before, err := usageOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	m, err := newMeter(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	u, err := m.read()
	if err != nil {
		t.Fatal(err)
	}
	if u.Peak <= 0 || u.Peak > before.Peak-size/2 {
		t.Errorf("peak %d before, %d since: the %d bytes that were freed still count", before.Peak, u.Peak, size)
	}
	if u.CPU < 0 || u.CPU >= before.CPU {
		t.Errorf("processor time %s since, %s in all", u.CPU, before.CPU)
	}
}
