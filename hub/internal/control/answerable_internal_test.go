package control

import "testing"

func TestOnlyRequestsThatCanBeAnsweredAreTaken(t *testing.T) {
	for reply, want := range map[string]bool{
		"_INBOX.abc.1":                    true,
		"_INBOX_sharing.abc":              true,
		"_R_.abc.def":                     true, // from another account
		"my.own.replies":                  true,
		"dbase.replies":                   true,
		"":                                false, // an answer of the server's, sent here
		"$JS.ACK.SUB_x.w.1.1":             false, // a delivery of the server's, sent here
		"$JS.API.STREAM.DELETE.SUB_audit": false,
		"db.payment.create":               false,
		"sub.audit.user.create.0":         false,
		"dlq.audit.user.create":           false,
		"replhub.drop.audit":              false,
		"replhub._ledger":                 false,
	} {
		if got := Answerable(reply); got != want {
			t.Errorf("Answerable(%q) is %v", reply, got)
		}
	}
}
