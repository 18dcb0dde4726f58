"""A network worked out before torch: inputs, wiring, steps, weights, objective, length, memory."""
