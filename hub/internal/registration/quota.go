package registration

import (
	"errors"
	"time"

	"github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// quotaOfRegistrations refuses a registration that comes too soon. It is not the code
// limit, which clients take as final: after a restart they all come at once, and each of
// them may come again.
func (r *Registrar) quotaOfRegistrations(service subjects.Name) error {
	if r.rate.take(service, time.Now()) {
		return nil
	}
	return contract.Errorf(contract.CodeUnavailable, "the quota of registrations is reached: more than %d of %s in a second (%s); send the request again",
		r.cfg.MaxRegistrations, service, contract.EnvQuotaRegistrations)
}

// quotaOfBytes refuses a lane's limit that a registration states.
func (r *Registrar) quotaOfBytes(stated int64) error {
	if most := r.cfg.MaxLaneBytes; most > 0 && stated > most {
		return contract.FieldErrorf(contract.CodeLimit, "max_bytes", "%d bytes (%s) are above the quota of a lane's bytes, %d (%s, %s)",
			stated, contract.SizeText(stated), most, contract.SizeText(most), contract.EnvQuotaLaneBytes)
	}
	return nil
}

// quotaOfRecord refuses a new lane's limit that the registry's record of the service
// states: such a record can be written by hand.
func (r *Registrar) quotaOfRecord(service subjects.Name, stated int64) error {
	if refusal, ok := errors.AsType[*contract.Error](r.quotaOfBytes(stated)); ok {
		return contract.FieldErrorf(refusal.Code, refusal.Field, "%s, by the registry record %s; state max_bytes in the registration, or correct the record",
			refusal.Message, record.ServicePath(service))
	}
	return nil
}

// quotaOfLanes refuses a lane that would be one too many.
func (r *Registrar) quotaOfLanes() error {
	if r.cfg.Lanes.Count() < r.cfg.MaxLanes {
		return nil
	}
	return contract.Errorf(contract.CodeLimit, "the quota of lanes is reached: %d services (%s); drop a service", r.cfg.MaxLanes, contract.EnvQuotaLanes)
}
