package reliability

import (
	"testing"

	"github.com/statelink/statelink/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }
