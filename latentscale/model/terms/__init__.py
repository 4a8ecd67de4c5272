"""The terms of the model's equations, one kind per file.

theta_i   = sum of the terms' skills        (Cai et al. 2025, arXiv:2512.06553, eq. 2)
eta_ij    = sum of the terms' predictors    (eq. 1)
mu_ij     = c_j + (d_j - c_j) h_j(eta_ij)
"""
