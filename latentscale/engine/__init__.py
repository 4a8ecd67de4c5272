"""Engines: models compiled to densities, behind one interface.

`latentscale.engine.density` has the interface; `choice` decides between the fast engine, which uses
internals of PyTensor, numba and nutpie, and the stock one, which uses only their public functions.
Nothing outside this folder imports those libraries' internals. What is done with a density
(samplers, approximations) belongs to `latentscale.inference`.
"""
