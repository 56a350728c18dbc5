package lane

import "testing"

func TestStored(t *testing.T) {
	for ack, want := range map[string]bool{
		`{"stream":"SUB_s","seq":3}`:                                       true,
		`{"stream":"SUB_s","domain":"hub","seq":3}`:                        false, // decoded
		`{"stream":"SUB_other","seq":3}`:                                   false,
		`{"error":{"code":400,"err_code":10071},"stream":"SUB_s","seq":0}`: false,
		``: false,
	} {
		if got := stored([]byte(ack), "SUB_s"); got != want {
			t.Errorf("%s: %v", ack, got)
		}
	}
}
