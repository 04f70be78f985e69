//go:build !soak

package reliability

// full runs take the whole time that the figures are meant for; the others are
// short enough for every check. The bounds are the same.
const full = false
