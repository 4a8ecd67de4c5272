"""The engine room: models compiled to densities, behind one interface.

`latentscale.engine.density` has the interface; `choice` decides between the fast engine, which
reaches into PyTensor, numba and nutpie, and the stock one, which uses their public functions alone.
Nothing outside this folder imports those libraries' internals. Not for what is done with a density:
samplers and approximations are `latentscale.inference`'s.
"""
