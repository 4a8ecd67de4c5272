// The recommended law: two or more anchored skills, families within lineages with slopes of their
// own, family x benchmark levels and slopes, model residuals, power-logistic link, estimated ceilings, Beta noise.
data {
  int<lower=1> models, benchmarks, families, lineages, cells, skills, covariates;
  int<lower=0> family_slopes, family_benchmark_slopes, instruct_slopes;
  matrix[models, covariates] x;
  matrix[models, family_slopes] x_family;
  matrix[models, family_benchmark_slopes] x_family_benchmark;
  matrix[models, instruct_slopes] x_instruct;
  vector[models] instruct;
  array[models] int family_of_model;
  array[families] int lineage_of_family;
  array[cells] int model_of_cell, benchmark_of_cell;
  vector<lower=0, upper=1>[cells] score_of_cell;
  vector[benchmarks] floor_of;
  array[skills] int anchors;
  array[benchmarks - skills] int others;
  vector[2] prior_intercept, prior_slope, prior_precision, prior_lineage_share;
  vector[2] prior_instruct_shift, prior_instruct_slope, prior_link_power, prior_ceiling;
  real prior_loading, prior_family_scale, prior_family_slope_scale, prior_residual_scale;
  real prior_family_benchmark_scale, prior_family_benchmark_slope_scale;
}
transformed data {
  int free = benchmarks - skills;
  array[cells] int place; // of a cell in the table, column by column
  matrix[lineages, families] averaging = rep_matrix(0, lineages, families);
  vector[lineages] members = rep_vector(0, lineages);
  for (n in 1:cells) place[n] = model_of_cell[n] + models * (benchmark_of_cell[n] - 1);
  for (f in 1:families) members[lineage_of_family[f]] += 1;
  for (f in 1:families) averaging[lineage_of_family[f], f] = 1 / members[lineage_of_family[f]];
}
parameters {
  vector[benchmarks] intercept;
  matrix<lower=0>[free, skills] loading;
  matrix[covariates, skills] slope;
  vector<lower=0>[skills] family_scale;
  real<lower=0, upper=1> lineage_share;
  cholesky_factor_corr[skills] skill_cholesky;
  matrix[lineages, skills] lineage_raw;
  matrix[families, skills] family_raw;
  matrix<lower=0>[family_slopes, skills] family_slope_scale;
  array[family_slopes] matrix[families, skills] family_slope_raw;
  vector<lower=0>[skills] residual_scale;
  matrix[models, skills] residual_raw;
  vector<lower=0>[free] family_benchmark_scale;
  matrix[families, free] family_benchmark_raw;
  vector<lower=0>[benchmarks] family_benchmark_slope_scale;
  array[family_benchmark_slopes] matrix[families, benchmarks] family_benchmark_slope_raw;
  vector[benchmarks] instruct_shift;
  matrix[benchmarks, instruct_slopes] instruct_slope;
  vector<lower=0>[benchmarks] link_power;
  vector<lower=0, upper=1>[benchmarks] ceiling_share;
  vector<lower=0>[benchmarks] precision;
}
transformed parameters {
  matrix[families, skills] family_skill;
  {
    // Lineages are taken from their common level, each in units of its own spread.
    vector[lineages] spread = sqrt(lineage_share + (1 - lineage_share) ./ members);
    matrix[families, skills] level = sqrt(lineage_share) * lineage_raw[lineage_of_family]
                                     + sqrt(1 - lineage_share) * family_raw;
    matrix[lineages, skills] mean_level = averaging * level;
    for (k in 1:skills)
      level[, k] -= mean(mean_level[, k] ./ spread) * spread[lineage_of_family];
    family_skill = diag_post_multiply(level * skill_cholesky', family_scale);
  }
}
model {
  matrix[models, skills] theta = x * slope + family_skill[family_of_model]
                                 + diag_post_multiply(residual_raw, residual_scale);
  matrix[benchmarks, skills] loadings = rep_matrix(0, benchmarks, skills);
  matrix[models, benchmarks] eta;
  vector[benchmarks] top = floor_of + (1 - floor_of) .* ceiling_share;
  vector[benchmarks] shift = -log(expm1(log2() ./ link_power));
  vector[benchmarks] stretch = -0.5 ./ (link_power .* expm1(-log2() ./ link_power));
  vector[cells] mu;

  for (s in 1:family_slopes)
    for (k in 1:skills) {
      vector[families] raw = family_slope_raw[s][, k];
      vector[families] own = family_slope_scale[s, k] * (raw - mean(raw));
      theta[, k] += x_family[, s] .* own[family_of_model];
    }
  loadings[others] = loading;
  for (k in 1:skills) loadings[anchors[k], k] = 1;
  eta = theta * loadings' + rep_matrix(intercept', models)
        + diag_pre_multiply(instruct, rep_matrix(instruct_shift', models)
                                      + x_instruct * instruct_slope');
  for (j in 1:free) {
    vector[families] effect = family_benchmark_scale[j]
        * (family_benchmark_raw[, j] - mean(family_benchmark_raw[, j]));
    eta[, others[j]] += effect[family_of_model];
  }
  for (s in 1:family_benchmark_slopes)
    for (j in 1:benchmarks) {
      vector[families] raw = family_benchmark_slope_raw[s][, j];
      vector[families] own = family_benchmark_slope_scale[j] * (raw - mean(raw));
      eta[, j] += x_family_benchmark[, s] .* own[family_of_model];
    }
  mu = floor_of[benchmark_of_cell] + (top - floor_of)[benchmark_of_cell]
       .* exp(-link_power[benchmark_of_cell]
              .* log1p_exp(-(shift[benchmark_of_cell]
                             + stretch[benchmark_of_cell] .* to_vector(eta)[place])));
  score_of_cell ~ beta_proportion(fmin(fmax(mu, 1e-6), 1 - 1e-6), precision[benchmark_of_cell]);

  intercept ~ normal(prior_intercept[1], prior_intercept[2]);
  to_vector(loading) ~ normal(0, prior_loading);
  to_vector(slope) ~ normal(prior_slope[1], prior_slope[2]);
  family_scale ~ normal(0, prior_family_scale);
  lineage_share ~ beta(prior_lineage_share[1], prior_lineage_share[2]);
  skill_cholesky ~ lkj_corr_cholesky(2);
  to_vector(lineage_raw) ~ std_normal();
  to_vector(family_raw) ~ std_normal();
  to_vector(family_slope_scale) ~ normal(0, prior_family_slope_scale);
  for (s in 1:family_slopes) to_vector(family_slope_raw[s]) ~ std_normal();
  residual_scale ~ normal(0, prior_residual_scale);
  to_vector(residual_raw) ~ std_normal();
  family_benchmark_scale ~ normal(0, prior_family_benchmark_scale);
  to_vector(family_benchmark_raw) ~ std_normal();
  family_benchmark_slope_scale ~ normal(0, prior_family_benchmark_slope_scale);
  for (s in 1:family_benchmark_slopes)
    to_vector(family_benchmark_slope_raw[s]) ~ std_normal();
  instruct_shift ~ normal(prior_instruct_shift[1], prior_instruct_shift[2]);
  to_vector(instruct_slope) ~ normal(prior_instruct_slope[1], prior_instruct_slope[2]);
  link_power ~ lognormal(prior_link_power[1], prior_link_power[2]);
  ceiling_share ~ beta(prior_ceiling[1], prior_ceiling[2]);
  precision ~ lognormal(prior_precision[1], prior_precision[2]);
}
