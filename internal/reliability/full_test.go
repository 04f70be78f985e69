//go:build soak

package reliability

// full runs take the whole time that the figures are meant for.
const full = true
