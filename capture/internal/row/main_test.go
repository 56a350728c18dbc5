package row_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/replhub/replhub/internal/testenv/sqltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(sqltest.Main(m)) }
