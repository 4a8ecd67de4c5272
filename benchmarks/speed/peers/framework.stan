// The framework of Cai et al. 2025 (arXiv:2512.06553): anchored skills, family skills with unit
// variances, fixed floors, logistic link, Beta noise.
data {
  int<lower=1> models, benchmarks, families, cells, skills, covariates;
  matrix[models, covariates] x;
  array[models] int family_of_model;
  array[cells] int model_of_cell, benchmark_of_cell;
  vector<lower=0, upper=1>[cells] score_of_cell;
  vector[benchmarks] floor_of;
  array[skills] int anchors;
  array[benchmarks - skills] int others;
  vector[2] prior_intercept, prior_slope, prior_precision, prior_loading;
  real prior_anchor_loading;
}
transformed data {
  array[cells] int place; // of a cell in the table, column by column
  for (n in 1:cells) place[n] = model_of_cell[n] + models * (benchmark_of_cell[n] - 1);
}
parameters {
  vector[benchmarks] intercept;
  matrix[benchmarks - skills, skills] loading;
  vector<lower=0>[skills] anchor_loading;
  matrix[covariates, skills] slope;
  cholesky_factor_corr[skills] skill_cholesky;
  matrix[families, skills] family_raw;
  vector<lower=0>[benchmarks] precision;
}
transformed parameters {
  matrix[families, skills] family_skill;
  {
    matrix[families, skills] level = family_raw;
    for (k in 1:skills) level[, k] -= mean(family_raw[, k]);
    family_skill = level * skill_cholesky';
  }
}
model {
  matrix[models, skills] theta = x * slope + family_skill[family_of_model];
  matrix[benchmarks, skills] loadings = rep_matrix(0, benchmarks, skills);
  matrix[models, benchmarks] eta;
  vector[cells] mu;

  loadings[others] = loading;
  for (k in 1:skills) loadings[anchors[k], k] = anchor_loading[k];
  eta = theta * loadings' + rep_matrix(intercept', models);
  mu = floor_of[benchmark_of_cell]
       + (1 - floor_of[benchmark_of_cell]) .* inv_logit(to_vector(eta)[place]);
  score_of_cell ~ beta_proportion(fmin(fmax(mu, 1e-6), 1 - 1e-6), precision[benchmark_of_cell]);

  intercept ~ normal(prior_intercept[1], prior_intercept[2]);
  to_vector(loading) ~ normal(prior_loading[1], prior_loading[2]);
  anchor_loading ~ normal(0, prior_anchor_loading);
  to_vector(slope) ~ normal(prior_slope[1], prior_slope[2]);
  skill_cholesky ~ lkj_corr_cholesky(2);
  to_vector(family_raw) ~ std_normal();
  precision ~ lognormal(prior_precision[1], prior_precision[2]);
}
